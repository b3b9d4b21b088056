// Codes besides the password (docs/security.md, "Codes").
//
// Invariants
// - A step counts once: it is noted, durably, in the transaction that looks at the last one, before the code counts.
// - A recovery code counts once: it goes in the transaction that finds it.
// - Who asks has shown the right password. After `wrongFree` wrong codes of an account in a row its codes wait; recovery codes do not.

import { randomBytes } from "node:crypto";
import { fromHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Account, TotpRow } from "../catalog/accounts.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";
import { makeRecoveryCode, otpauthUri, recoveryCodeHash, stepOfCode, totpSecretBytes } from "./totp.ts";
import { openTotpSecret, type SecretOwner, sealTotpSecret } from "./totpSecret.ts";

export type SecondFactorOptions = {
  readonly catalog: Catalog;
  readonly owner: SecretOwner;
  readonly now: () => Date;
  readonly monotonicMs: () => number;
  /** A recovery code was used. */
  readonly recoveryUsed: (account: Account, left: number) => void;
};

/** What is shown once, when codes are made. */
export type NewTotp = { readonly uri: string; readonly recoveryCodes: readonly string[] };

const recoveryCodes = 10;
const wrongFree = 10;
const waitFirstMs = 30_000;
const waitMaxMs = 15 * 60_000;

export class SecondFactor {
  readonly #options: SecondFactorOptions;
  /** By account: the last step that counted. */
  readonly #steps: Table<number>;
  /** By account: made, and no code was right yet. */
  readonly #pending: Table<TotpRow>;
  readonly #wrong = new Map<string, { count: number; untilMs: number }>();

  constructor(options: SecondFactorOptions) {
    this.#options = options;
    this.#steps = openTable(options.catalog.environment, "totp-steps", jsonCodec<number>());
    this.#pending = openTable(options.catalog.environment, "totp-pending", jsonCodec<TotpRow>());
  }

  /** Makes a secret and recovery codes, in force when `confirm` was given a code of it. @throws HoldfastError exists */
  begin(account: Account, gatewayName: string): NewTotp {
    const { catalog, owner, now } = this.#options;
    if (account.totp !== undefined) {
      throw new HoldfastError(ErrorCode.exists, `account ${account.name} asks for codes already`, {
        next: "To begin anew: `holdfast account totp disable`, then enable.",
      });
    }
    const secret = randomBytes(totpSecretBytes);
    const codes = Array.from({ length: recoveryCodes }, makeRecoveryCode);
    const row: TotpRow = {
      secret: sealTotpSecret(owner, account.id, secret),
      recovery: codes.map((code) => recoveryCodeHash(code) ?? ""),
      since: now().toISOString(),
    };
    catalog.write(() => this.#pending.put(fromHex(account.id, 16), row));
    const uri = otpauthUri(secret, gatewayName, account.name);
    secret.fill(0);
    return { uri, recoveryCodes: codes };
  }

  /** The first code: the account asks for codes from now on. @throws HoldfastError not-found, code-required */
  confirm(account: Account, code: string): void {
    const { catalog, now } = this.#options;
    const key = fromHex(account.id, 16);
    const row = this.#pending.get(key);
    if (row === undefined) {
      throw new HoldfastError(ErrorCode.notFound, `nothing waits for a code of account ${account.name}`, {
        next: "Begin with `holdfast account totp enable`.",
      });
    }
    const step = this.#stepOf(account, row, code);
    if (step === undefined) throw required("the code is wrong");
    catalog.write(() => {
      catalog.accounts.update(account.id, (before) => ({
        ...before,
        totp: { ...row, since: now().toISOString() },
      }));
      this.#steps.put(key, step);
      this.#pending.remove(key);
    });
  }

  /** Whether it asked for codes. */
  disable(account: Account): boolean {
    const key = fromHex(account.id, 16);
    this.#wrong.delete(account.id);
    return this.#options.catalog.write(() => {
      const began = this.#pending.remove(key);
      this.#options.catalog.accounts.update(account.id, ({ totp: _gone, ...rest }) => rest);
      return began || account.totp !== undefined;
    });
  }

  /** Nothing is left of an account that is removed. Inside a write transaction. */
  forget(account: string): void {
    const key = fromHex(account, 16);
    this.#pending.remove(key);
    this.#steps.remove(key);
    this.#wrong.delete(account);
  }

  /**
   * Takes a code where the account asks for one. A code that was taken is used, whatever becomes of what it was given for.
   * @throws HoldfastError code-required
   */
  demand(account: Account, code: string | undefined): void {
    const { totp } = account;
    if (totp === undefined) return;
    if (code === undefined)
      throw required("this account asks for a code of its authenticator besides the password");
    const hash = recoveryCodeHash(code);
    if (hash !== undefined && this.#useRecovery(account, hash)) return;
    const waitMs = (this.#wrong.get(account.id)?.untilMs ?? 0) - this.#options.monotonicMs();
    if (waitMs > 0) {
      const retryAfterSeconds = Math.ceil(waitMs / 1000);
      throw required(`too many wrong codes; try again in ${retryAfterSeconds} s`, { retryAfterSeconds });
    }
    const step = this.#stepOf(account, totp, code);
    if (step === undefined) {
      this.#strike(account.id);
      throw required("the code is wrong", { wrong: true });
    }
    this.#useStep(account, step);
    this.#wrong.delete(account.id);
  }

  #stepOf(account: Account, row: TotpRow, code: string): number | undefined {
    const { owner, now } = this.#options;
    const secret = openTotpSecret(owner, account.id, row.secret);
    try {
      return stepOfCode(secret, code, now().getTime());
    } finally {
      secret.fill(0);
    }
  }

  #useStep(account: Account, step: number): void {
    const key = fromHex(account.id, 16);
    this.#options.catalog.write(() => {
      if (step <= (this.#steps.get(key) ?? -1))
        throw required("the code was used already; wait for the next one");
      this.#steps.put(key, step);
    });
  }

  #useRecovery(account: Account, hash: string): boolean {
    const { catalog, recoveryUsed } = this.#options;
    const left = catalog.write(() => {
      const totp = catalog.accounts.get(account.id)?.totp;
      if (totp === undefined || !totp.recovery.includes(hash)) return undefined;
      const recovery = totp.recovery.filter((each) => each !== hash);
      catalog.accounts.update(account.id, (row) => ({ ...row, totp: { ...totp, recovery } }));
      return recovery.length;
    });
    if (left === undefined) return false;
    recoveryUsed(account, left);
    return true;
  }

  #strike(account: string): void {
    const count = (this.#wrong.get(account)?.count ?? 0) + 1;
    const wait = count < wrongFree ? 0 : Math.min(waitMaxMs, waitFirstMs * 2 ** (count - wrongFree));
    this.#wrong.set(account, { count, untilMs: this.#options.monotonicMs() + wait });
  }
}

function required(message: string, detail: HoldfastError["detail"] = {}): HoldfastError {
  return new HoldfastError(ErrorCode.codeRequired, message, {
    next: "Give the code that the authenticator shows now, or a recovery code: --totp CODE.",
    detail,
  });
}
