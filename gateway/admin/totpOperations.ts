// Codes besides an account's password, as an administrator sets them up.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { NewTotp } from "../auth/secondFactor.ts";
import { type Account, noAccount } from "../catalog/accounts.ts";
import type { Gateway } from "../gateway.ts";
import { requireNoBox } from "./requestChecks.ts";

export type TotpStatus = {
  readonly enabled: boolean;
  /** RFC 3339; null where it is not enabled. */
  readonly since: string | null;
  readonly recoveryCodesLeft: number;
};

export interface TotpOperations {
  /** @throws HoldfastError not-found */
  status(account: string): Promise<TotpStatus>;
  /** Makes a secret and recovery codes, which are stored nowhere in the clear. @throws HoldfastError not-found, exists; forbidden at a box */
  begin(account: string): Promise<NewTotp>;
  /** Takes the first code: it is enabled then. @throws HoldfastError not-found, code-required; forbidden at a box */
  confirm(account: string, code: string): Promise<void>;
  /** @throws HoldfastError not-found, also where it is not enabled; forbidden at a box */
  disable(account: string): Promise<TotpStatus>;
}

export class TotpAdministration implements TotpOperations {
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  async status(name: string): Promise<TotpStatus> {
    const { totp } = this.#account(name);
    return {
      enabled: totp !== undefined,
      since: totp?.since ?? null,
      recoveryCodesLeft: totp?.recovery.length ?? 0,
    };
  }

  async begin(name: string): Promise<NewTotp> {
    this.#requireNoBox();
    const { authenticator, dataDir } = this.#gateway;
    return authenticator.secondFactor.begin(this.#account(name), dataDir.settings.name);
  }

  async confirm(name: string, code: string): Promise<void> {
    this.#requireNoBox();
    this.#gateway.authenticator.secondFactor.confirm(this.#account(name), code);
  }

  async disable(name: string): Promise<TotpStatus> {
    this.#requireNoBox();
    if (!this.#gateway.authenticator.secondFactor.disable(this.#account(name))) {
      throw new HoldfastError(ErrorCode.notFound, `account ${name} asks for no codes`);
    }
    return await this.status(name);
  }

  #account(name: string): Account {
    const account = this.#gateway.catalog.accounts.byName(name);
    if (account === undefined) throw noAccount(name);
    return account;
  }

  #requireNoBox(): void {
    requireNoBox(this.#gateway.dataDir, "where its accounts belong", "Do that there.");
  }
}
