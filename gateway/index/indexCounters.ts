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
  #stored = 0;

  constructor(environment: IndexEnvironment, meta: RawDatabase) {
    this.#meta = meta;
    this.#read();
    environment.onAbort(() => this.#read());
  }

  /** A fresh ordinal. */
  nextOrdinal(): number {
    return this.#nextOrdinal++;
  }

  /** Above all ordinals that were handed out. */
  get next(): number {
    return this.#nextOrdinal;
  }

  /** What is on disk of it: after a crash ordinals go on from here. */
  get stored(): number {
    return this.#stored;
  }

  /** Stores both. Inside a write transaction only. */
  save(): void {
    const bytes = Buffer.alloc(16);
    bytes.writeDoubleLE(this.#nextOrdinal, 0);
    bytes.writeDoubleLE(this.rows, 8);
    this.#meta.putSync(countersName, bytes);
    this.#stored = this.#nextOrdinal;
  }

  #read(): void {
    const bytes = this.#meta.getBinary(countersName);
    const view = bytes && new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#stored = view?.getFloat64(0, true) ?? 0;
    this.#nextOrdinal = Math.max(this.#nextOrdinal, this.#stored);
    this.rows = view?.getFloat64(8, true) ?? 0;
  }
}
