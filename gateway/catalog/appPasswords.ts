// App passwords: random secrets that let a client read an account's snapshots over WebDAV, and nothing else. Rows are keyed by
// account and id; a revoked one is removed, an expired one stays until it is revoked, so that lists can tell why it fails.

import { fromHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { KeptRows } from "../index/keptRows.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";

export type AppPasswordRow = {
  /** Five characters; unique within the account. */
  readonly id: string;
  readonly account: string;
  /** Unique within the account unless empty. */
  readonly label: string;
  /** SHA-256 (auth/appPasswordText.ts), hex. */
  readonly hash: string;
  /** Folder names below the account's folder; all of the account when not there. */
  readonly read?: readonly string[];
  /** Archived permissions count as for this user; `gids` begins with the primary group. */
  readonly asUser?: { readonly uid: number; readonly gids: readonly number[] };
  /** RFC 3339. */
  readonly created: string;
  /** RFC 3339; for ever when not there. */
  readonly expires?: string;
  /** RFC 3339; behind the truth by minutes. */
  readonly lastUsed?: string;
};

/** An account's app passwords at a time. */
export const appPasswordsMax = 256;

export class AppPasswordRows {
  readonly #environment: IndexEnvironment;
  readonly #rows: Table<AppPasswordRow>;
  readonly #kept: KeptRows<AppPasswordRow>;

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#rows = openTable(environment, "app-passwords", jsonCodec<AppPasswordRow>());
    this.#kept = new KeptRows(environment);
  }

  get(account: string, id: string): AppPasswordRow | undefined {
    return this.#kept.get(`${account} ${id}`, () => this.#rows.get(keyOf(account, id)));
  }

  /** An account's rows, the oldest first. */
  list(account: string): AppPasswordRow[] {
    const start = fromHex(account, 16);
    // Ids are ASCII, so 0xff is behind all of them.
    const end = Buffer.concat([start, Buffer.of(0xff)]);
    const rows = this.#rows.entries({ start, end }).map(([, row]) => row);
    return rows.sort((a, b) => (a.created < b.created ? -1 : a.created > b.created ? 1 : 0));
  }

  /** Adds a row. False when its id is taken: make another. @throws HoldfastError exists for its label, limit-exceeded */
  add(row: AppPasswordRow): boolean {
    return this.#environment.write(() => {
      const rows = this.list(row.account);
      if (row.label !== "" && rows.some(({ label }) => label === row.label)) {
        throw new HoldfastError(
          ErrorCode.exists,
          `there is an app password ${JSON.stringify(row.label)} already`,
          {
            next: "Choose another --label, or revoke the old one.",
          },
        );
      }
      if (rows.length >= appPasswordsMax) {
        throw new HoldfastError(
          ErrorCode.limitExceeded,
          `an account has at most ${appPasswordsMax} app passwords`,
          {
            next: "Revoke some that are no longer used.",
          },
        );
      }
      const key = keyOf(row.account, row.id);
      if (this.#rows.has(key)) return false;
      this.#rows.put(key, row);
      return true;
    });
  }

  /** Notes when passwords were used last, in one transaction; those that are gone stay gone. */
  noteUses(
    uses: Iterable<{ readonly account: string; readonly id: string; readonly lastUsed: string }>,
  ): void {
    this.#environment.write(() => {
      for (const { account, id, lastUsed } of uses) {
        const row = this.get(account, id);
        if (row !== undefined) this.#rows.put(keyOf(account, id), { ...row, lastUsed });
      }
    });
  }

  /** Whether it was there. */
  remove(account: string, id: string): boolean {
    return this.#environment.write(() => this.#rows.remove(keyOf(account, id)));
  }
}

function keyOf(account: string, id: string): Buffer {
  return Buffer.concat([fromHex(account, 16), Buffer.from(id)]);
}
