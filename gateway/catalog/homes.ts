// Homes of accounts: the record in force for each, and which directory this gateway follows (docs/seeding.md, "Homes").
//
// Invariants
// - An account without a row is at home here, and was never anywhere else.
// - `handedOut` is the highest generation that was ever signed for the account, in force or not; it only grows.

import { fromHex } from "../../vault/bytes.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";

export type HomeRow = {
  /** The record in force, both lines. */
  readonly record: string;
  /** The one before, which an undo takes up again; null where the account was at home here without a record. */
  readonly previous: string | null;
  readonly handedOut: number;
};

/** A directory that is another gateway. */
export type DirectoryRow = {
  /** 32 hex digits. */
  readonly id: string;
  readonly urls: readonly string[];
  readonly fingerprint: string;
  /** Ed25519, 64 hex digits. */
  readonly signer: string;
};

const directoryKey = Buffer.from("directory");

export class HomeRows {
  readonly #environment: IndexEnvironment;
  readonly #rows: Table<HomeRow>;
  readonly #directory: Table<DirectoryRow>;

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#rows = openTable(environment, "homes", jsonCodec<HomeRow>());
    this.#directory = openTable(environment, "home-directory", jsonCodec<DirectoryRow>());
  }

  get(account: string): HomeRow | undefined {
    return this.#rows.get(fromHex(account, 16));
  }

  /** Inside a write transaction; nothing happens where there is none. */
  remove(account: string): void {
    this.#rows.remove(fromHex(account, 16));
  }

  /** All rows, with the id of their account. */
  list(): (HomeRow & { readonly account: string })[] {
    return this.#rows.entries().map(([key, row]) => ({ account: Buffer.from(key).toString("hex"), ...row }));
  }

  put(account: string, row: HomeRow): void {
    this.#environment.write(() => this.#rows.put(fromHex(account, 16), row));
  }

  /** The directory that this gateway follows; undefined: its own. */
  directory(): DirectoryRow | undefined {
    return this.#directory.get(directoryKey);
  }

  setDirectory(row: DirectoryRow): void {
    this.#environment.write(() => this.#directory.put(directoryKey, row));
  }
}
