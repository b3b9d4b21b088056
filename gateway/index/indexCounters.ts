// The two numbers of the chunk index that no row tells: how many rows there are, and the next record ordinal.
//
// Invariants
// - An ordinal is handed out once. The counter is stored with every change of rows, so it is always above the ordinals
//   that are on disk, and it never goes back in memory either (the overlay holds rows that have one already).
// - After a failed write the row count is what LMDB says.

import type { IndexEnvironment, RawDatabase } from "./environment.ts";

const countersName = Buffer.from("counters");

export class IndexCounters {
  rows = 0;
  readonly #meta: RawDatabase;
  #nextOrdinal = 0;

  constructor(environment: IndexEnvironment, meta: RawDatabase) {
    this.#meta = meta;
    this.#read();
    environment.onAbort(() => this.#read());
  }

  /** A fresh ordinal. */
  nextOrdinal(): number {
    return this.#nextOrdinal++;
  }

  /** Stores both. Inside a write transaction only. */
  save(): void {
    const bytes = Buffer.alloc(16);
    bytes.writeDoubleLE(this.#nextOrdinal, 0);
    bytes.writeDoubleLE(this.rows, 8);
    this.#meta.putSync(countersName, bytes);
  }

  #read(): void {
    const bytes = this.#meta.getBinary(countersName);
    const view = bytes && new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#nextOrdinal = Math.max(this.#nextOrdinal, view?.getFloat64(0, true) ?? 0);
    this.rows = view?.getFloat64(8, true) ?? 0;
  }
}
