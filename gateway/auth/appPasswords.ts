// Who asks with an app password: the clients of WebDAV, which send it with every request.
//
// Invariants
// - No verdict is kept: every request looks at the catalog, so what is revoked, expired or disabled ends with the next request.
// - The right password is never throttled. Its 130 random bits cannot be guessed, so counting failures protects no secret; it
//   keeps the noise of stale and mistyped passwords, and of guessing of other kinds, from costing anything.
// - An unknown account, an unknown id and a wrong secret take the same steps and answer the same. Only the right password
//   learns that its account is disabled.
// - When a password was used last is written at most every `useWriteMs` for each, and when the gateway closes.

import { timingSafeEqual } from "node:crypto";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Audit } from "../audit/audit.ts";
import { type Account, nameUnitsMax } from "../catalog/accounts.ts";
import type { AppPasswordRow } from "../catalog/appPasswords.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { requireAddress } from "./accountAddresses.ts";
import { refuseDisabled } from "./authenticator.ts";
import { type LoginCounts, LoginThrottle, networkOf } from "./loginThrottle.ts";
import type { PresentedPassword } from "./presentedPassword.ts";

export type AppPrincipal = {
  readonly account: Account;
  /** Of the app password; not secret. */
  readonly id: string;
  /** Empty when it has none. */
  readonly label: string;
  /** Folder names below the account's folder, outermost first, that alone may be read; undefined: the whole account. */
  readonly read: readonly string[] | undefined;
  /** Archived permissions count as for this user; `gids` begins with the primary group. */
  readonly asUser?: { readonly uid: number; readonly gids: readonly number[] };
};

export type AppPasswordsOptions = {
  readonly catalog: Catalog;
  readonly now: () => Date;
  readonly audit: Pick<Audit, "note" | "noteOften">;
  readonly monotonicMs?: () => number;
  /** Told when the catalog cannot be written; nobody is kept out for that. */
  readonly warn: (error: unknown) => void;
};

type Use = { readonly account: string; readonly id: string; readonly lastUsed: string };

const addressesMax = 10_000;
const useWriteMs = 10 * 60_000;
/** Stand for whoever is not there: no row has these. */
const nobody = "0".repeat(32);
const noHash = Buffer.alloc(32);

export class AppPasswords {
  readonly #catalog: Catalog;
  readonly #now: () => Date;
  readonly #audit: AppPasswordsOptions["audit"];
  /** Who used which from where since the start: those that used one last. */
  readonly #addresses = new Set<string>();
  readonly #warn: (error: unknown) => void;
  readonly #throttle: LoginThrottle;
  readonly #monotonicMs: () => number;
  /** Uses that are not in the catalog yet, by account and id. */
  readonly #uses = new Map<string, Use>();
  /** After a failed write, not before this time of the monotonic clock. */
  #nextWriteMs = 0;

  constructor(options: AppPasswordsOptions) {
    this.#catalog = options.catalog;
    this.#now = options.now;
    this.#audit = options.audit;
    this.#warn = options.warn;
    this.#monotonicMs = options.monotonicMs ?? (() => performance.now());
    this.#throttle = new LoginThrottle(this.#monotonicMs);
  }

  get loginCounts(): Readonly<LoginCounts> {
    return this.#throttle.counts;
  }

  /**
   * Who presents this app password from `address`. For every request anew; it costs some microseconds.
   * @throws HoldfastError auth-failed, auth-throttled, account-disabled; forbidden from an address that the account does not admit
   */
  authenticate(presented: PresentedPassword, address: string): AppPrincipal {
    const { accountName } = presented;
    const account = this.#catalog.accounts.byName(accountName);
    const row = this.#fitting(account?.id, presented);
    if (account === undefined || !presented.isOne || row === undefined) {
      // Names that cannot be count as one, so that they fill no memory.
      const name = accountName.length > nameUnitsMax ? "" : accountName.normalize("NFC");
      this.#audit.noteOften({
        event: "app-password.refused",
        outcome: "refused",
        actor: { kind: "unknown" },
        address,
        subject: { account: name, id: presented.isOne ? presented.id : null },
      });
      this.#throttle.failed(name, address);
      throw new HoldfastError(ErrorCode.authFailed, "account and app password do not go together", {
        next: "Check both; `holdfast account app-password ACCOUNT` makes a new one. The account's own password is never taken here.",
      });
    }
    this.#throttle.succeeded(account.name, address);
    refuseDisabled(account);
    requireAddress(account, address);
    this.#noteUse(row);
    this.#noteAddress(account, row, address);
    return {
      account,
      id: row.id,
      label: row.label,
      read: row.read,
      ...(row.asUser !== undefined && { asUser: row.asUser }),
    };
  }

  /** Whether what was authenticated may go on: for answers that take long, before each piece of them. */
  isCurrent(principal: AppPrincipal): boolean {
    const account = this.#catalog.accounts.get(principal.account.id);
    const row = this.#catalog.appPasswords.get(principal.account.id, principal.id);
    return account?.disabled === false && row !== undefined && !this.hasExpired(row);
  }

  hasExpired({ expires }: AppPasswordRow): boolean {
    return expires !== undefined && Date.parse(expires) <= this.#now().getTime();
  }

  /** An account's app passwords, the oldest first, with their uses up to now. */
  list(account: string): AppPasswordRow[] {
    return this.#catalog.appPasswords
      .list(account)
      .map((row) => ({ ...row, ...this.#uses.get(useKey(row)) }));
  }

  /** The account's row of this password, if it is valid now. */
  #fitting(account: string | undefined, presented: PresentedPassword): AppPasswordRow | undefined {
    const hash = presented.hashFor(account);
    const row = this.#catalog.appPasswords.get(account ?? nobody, presented.id);
    const fits = timingSafeEqual(hash, row === undefined ? noHash : Buffer.from(row.hash, "hex"));
    return fits && row !== undefined && !this.hasExpired(row) ? row : undefined;
  }

  #noteAddress(
    { name: account }: Account,
    { account: owner, id, label }: AppPasswordRow,
    address: string,
  ): void {
    const key = `${owner} ${id} ${networkOf(address)}`;
    if (this.#addresses.has(key)) return;
    this.#addresses.add(key);
    for (const oldest of this.#addresses) {
      if (this.#addresses.size <= addressesMax) break;
      this.#addresses.delete(oldest);
    }
    const actor = { kind: "app-password", account, id, label } as const;
    this.#audit.note({ event: "app-password.new-address", outcome: "done", actor, address, subject: {} });
  }

  #noteUse(row: AppPasswordRow): void {
    const { account, id } = row;
    const now = this.#now();
    this.#uses.set(useKey(row), { account, id, lastUsed: now.toISOString() });
    const written = row.lastUsed === undefined ? undefined : Date.parse(row.lastUsed);
    // A clock that was set back must not silence it for long.
    if (written === undefined || Math.abs(now.getTime() - written) >= useWriteMs) this.writeUses();
  }

  /** Brings the times of last use into the catalog. */
  writeUses(): void {
    if (this.#uses.size === 0 || this.#monotonicMs() < this.#nextWriteMs) return;
    try {
      this.#catalog.appPasswords.noteUses(this.#uses.values());
      this.#uses.clear();
    } catch (error) {
      this.#nextWriteMs = this.#monotonicMs() + useWriteMs;
      this.#warn(error);
    }
  }
}

function useKey({ account, id }: { readonly account: string; readonly id: string }): string {
  return `${account} ${id}`;
}
