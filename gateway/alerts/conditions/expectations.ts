// How often an administrator expects a snapshot of an item. Without a row the rhythm of its backups counts.

import { fromHex } from "../../../vault/bytes.ts";
import type { IndexEnvironment } from "../../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../../index/table.ts";

export type Expectation = {
  /** Null: never missed. */
  readonly everySeconds: number | null;
  /** When that was said, RFC 3339: an item without any snapshot is missed from then on. */
  readonly since: string;
};

export class Expectations {
  readonly #environment: IndexEnvironment;
  /** By item. */
  readonly #rows: Table<Expectation>;

  /** `environment`: the catalog's. */
  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#rows = openTable(environment, "expectations", jsonCodec<Expectation>());
  }

  /** `item`: 32 hex digits. */
  get(item: string): Expectation | undefined {
    return this.#rows.get(fromHex(item, 16));
  }

  /** undefined: its rhythm counts again. */
  set(item: string, expectation: Expectation | undefined): void {
    const key = fromHex(item, 16);
    this.#environment.write(() => {
      if (expectation === undefined) this.#rows.remove(key);
      else this.#rows.put(key, expectation);
    });
  }
}
