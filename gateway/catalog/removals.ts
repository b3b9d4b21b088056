// Accounts that are being removed (gateway/removal/removeAccount.ts): what is to go, and what has to be said of it at the end.

import { fromHex } from "../../vault/bytes.ts";
import type { Deletion } from "../../vault/deletion.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";

export type RemovalRow = Omit<Deletion, "time">;

export class Removals {
  readonly #environment: IndexEnvironment;
  readonly #rows: Table<RemovalRow>;

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#rows = openTable(environment, "removals", jsonCodec<RemovalRow>());
  }

  get(account: string): RemovalRow | undefined {
    return this.#rows.get(fromHex(account, 16));
  }

  list(): RemovalRow[] {
    return this.#rows.entries().map(([, row]) => row);
  }

  /** Inside a write transaction. */
  put(row: RemovalRow): void {
    this.#rows.put(fromHex(row.account, 16), row);
  }

  remove(account: string): void {
    this.#environment.write(() => this.#rows.remove(fromHex(account, 16)));
  }
}
