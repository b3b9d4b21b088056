// Accounts: who owns backups. Names are unique; a row goes with all of the account (gateway/removal/), else it is only disabled.

import { fromHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { KeptRows } from "../index/keptRows.ts";
import { bytesCodec, jsonCodec, openTable, type Table } from "../index/table.ts";

/** How a password becomes L and R; `salt` in base64. */
export type StoredKdf = { readonly suite: 1; readonly iterations: number; readonly salt: string };

/** `secret`: sealed, base64; `recovery`: SHA-256 of recovery codes that are left, hex; `since`: RFC 3339. */
export type TotpRow = {
  readonly secret: string;
  readonly recovery: readonly string[];
  readonly since: string;
};

export type Account = {
  /** 32 hex digits. */
  readonly id: string;
  readonly name: string;
  readonly kdf: StoredKdf;
  /** bcrypt of SHA-512(L), in bcrypt's own text form. */
  readonly loginHash: string;
  /** A new password whose keys documents are being written; see finishPasswordChange. */
  readonly pendingLogin?: { readonly kdf: StoredKdf; readonly loginHash: string };
  /** Public half of the account's recovery key, base64. */
  readonly recoveryPublic: string;
  readonly disabled: boolean;
  /** Asks for codes besides the password (auth/secondFactor.ts). */
  readonly totp?: TotpRow;
  /** From where it may be used; absent: from everywhere. */
  readonly access?: { readonly allow: readonly string[]; readonly deny: readonly string[] };
  /** RFC 3339. */
  readonly created: string;
  /** The next isolated device's deduplication group. */
  readonly nextGroup: number;
  /** Absent: no limits. */
  readonly quota?: AccountQuota;
};

/** null: no limit. */
export type AccountQuota = { readonly bytes: number | null; readonly devices: number | null };

/** The deduplication group that an account's devices share unless they are isolated. */
export const sharedGroup = 1;

/** Longer than any account's name (ingest/wire/names.ts), in UTF-16 units, composed or not. */
export const nameUnitsMax = 256;

/** What is said where an account's name is in use. */
export function accountTaken(name: string): HoldfastError {
  return new HoldfastError(ErrorCode.exists, `there is an account ${name} already`, {
    next: "Choose another name; `holdfast account list` shows which there are.",
  });
}

/** What is said where there is none. */
export function noAccount(name: string): HoldfastError {
  return new HoldfastError(ErrorCode.notFound, `there is no account ${name}`, {
    next: "`holdfast account list --data DIR` shows which there are.",
  });
}

export class Accounts {
  readonly #environment: IndexEnvironment;
  readonly #rows: Table<Account>;
  readonly #names: Table<Uint8Array>;
  readonly #byName: KeptRows<Account>;

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#rows = openTable(environment, "accounts", jsonCodec<Account>());
    this.#names = openTable(environment, "account-names", bytesCodec);
    this.#byName = new KeptRows(environment);
  }

  get(id: string): Account | undefined {
    return this.#rows.get(fromHex(id, 16));
  }

  /** The account of this name, which may be any text. */
  byName(name: string): Account | undefined {
    // LMDB takes keys of limited length only, and no empty ones.
    if (name === "" || name.length > nameUnitsMax) return undefined;
    return this.#byName.get(name, () => {
      const id = this.#names.get(Buffer.from(name.normalize("NFC")));
      return id === undefined ? undefined : this.#rows.get(id);
    });
  }

  list(): Account[] {
    return this.#rows.entries().map(([, account]) => account);
  }

  /** @throws HoldfastError exists */
  add(account: Account): void {
    this.#environment.write(() => {
      const name = Buffer.from(account.name);
      if (this.#names.has(name)) throw accountTaken(account.name);
      const id = fromHex(account.id, 16);
      if (this.#rows.has(id))
        throw new HoldfastError(ErrorCode.exists, "there is an account with this id already");
      this.#names.put(name, id);
      this.#rows.put(id, account);
    });
  }

  /** Inside a write transaction; nothing happens where it is gone. */
  remove(id: string): void {
    const key = fromHex(id, 16);
    const account = this.#rows.get(key);
    if (account === undefined) return;
    this.#names.remove(Buffer.from(account.name));
    this.#rows.remove(key);
  }

  /** Changes an account in one transaction. @throws HoldfastError not-found */
  update(id: string, change: (account: Account) => Account): Account {
    return this.#environment.write(() => {
      const key = fromHex(id, 16);
      const account = this.#rows.get(key);
      if (account === undefined) throw new HoldfastError(ErrorCode.notFound, "no such account");
      const changed = change(account);
      this.#rows.put(key, changed);
      return changed;
    });
  }
}

/** The account with its pending password in force (`promote`) or forgotten. */
export function settlePendingLogin(account: Account, promote: boolean): Account {
  const { pendingLogin, ...rest } = account;
  return promote && pendingLogin !== undefined ? { ...rest, ...pendingLogin } : rest;
}
