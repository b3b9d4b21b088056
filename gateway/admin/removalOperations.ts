// Removing accounts, as an administrator asks for it.

import type { Deletion } from "../../vault/deletion.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { type Account, noAccount } from "../catalog/accounts.ts";
import type { RemovalRow } from "../catalog/removals.ts";
import type { Gateway } from "../gateway.ts";
import { listRemovals, planRemoval, removeAccount, type StatedRemoval } from "../removal/removeAccount.ts";
import { requireNoBox } from "./requestChecks.ts";

export interface RemovalOperations {
  /** What would go. @throws HoldfastError not-found; forbidden while a box has it on board, and at a box */
  plan(account: string): Promise<RemovalRow>;
  /** Removes it for good. @throws HoldfastError as `plan`; busy while the gateway runs; disk-full, io-error: the same goes on */
  remove(account: string): Promise<Deletion>;
  /** Statements of all that were removed, the oldest first. */
  list(): Promise<StatedRemoval[]>;
}

/** What is said while the gateway runs. */
export function gatewayRuns(): HoldfastError {
  return new HoldfastError(ErrorCode.busy, "an account is removed while the gateway stands still", {
    next: "`holdfast account disable` keeps it out at once. Then stop the gateway, run this again, and start it.",
  });
}

export class RemovalAdministration implements RemovalOperations {
  readonly #gateway: Gateway;
  readonly #isRunning: () => boolean;

  constructor(gateway: Gateway, isRunning: () => boolean) {
    this.#gateway = gateway;
    this.#isRunning = isRunning;
  }

  async plan(name: string): Promise<RemovalRow> {
    return await planRemoval(this.#gateway, this.#account(name));
  }

  async remove(name: string): Promise<Deletion> {
    const account = this.#account(name);
    if (this.#isRunning()) throw gatewayRuns();
    return await removeAccount(this.#gateway, account);
  }

  list(): Promise<StatedRemoval[]> {
    return listRemovals(this.#gateway);
  }

  #account(name: string): Account {
    requireNoBox(this.#gateway.dataDir, "where its accounts belong", "Do that there.");
    const account = this.#gateway.catalog.accounts.byName(name);
    if (account === undefined) throw noAccount(name);
    return account;
  }
}
