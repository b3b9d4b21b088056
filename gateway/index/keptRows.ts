// Rows that are asked for with every request, kept in memory as LMDB has them.
//
// Invariants: what was read before or inside a write is not given after it has begun: any write of the environment forgets all; only rows that
// are there are kept, `rowsMax` at most.

import type { IndexEnvironment } from "./environment.ts";

const rowsMax = 1024;

export class KeptRows<Row> {
  readonly #environment: IndexEnvironment;
  readonly #rows = new Map<string, Row>();
  #generation = -1;

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
  }

  /** The row of this key, by `read` unless it is kept. */
  get(key: string, read: () => Row | undefined): Row | undefined {
    const { writing, generation } = this.#environment;
    if (writing) return read();
    if (generation !== this.#generation) {
      this.#rows.clear();
      this.#generation = generation;
    }
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    const row = read();
    if (row !== undefined && this.#rows.size < rowsMax) this.#rows.set(key, row);
    return row;
  }
}
