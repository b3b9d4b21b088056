// What a box remembers of itself, in its own catalog.
//
// Invariants
// - `seals` never falls: a number that a manifest had is never used again.

import type { IndexEnvironment } from "../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";

export type BoxMemory = {
  /** Devices that came from the datacentre; the others were enrolled here. */
  readonly devices: readonly string[];
  /** How often it was sealed. */
  readonly seals: number;
  /** Seal that the datacentre has accepted; 0 for none. */
  readonly delivered: number;
  /** Of a box to restore from: a digest of what it was begun for, and whether all of that is on board. */
  readonly staged?: { readonly chosen: string; readonly whole: boolean };
};

const key = Buffer.from("box");

export class BoxState {
  readonly #environment: IndexEnvironment;
  readonly #rows: Table<BoxMemory>;

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#rows = openTable(environment, "box-state", jsonCodec<BoxMemory>());
  }

  get(): BoxMemory {
    return this.#rows.get(key) ?? { devices: [], seals: 0, delivered: 0 };
  }

  /** Changes what is remembered, durably; a part of the write transaction where there is one. */
  update(change: Partial<BoxMemory>): void {
    this.#environment.write(() => this.#rows.put(key, { ...this.get(), ...change }));
  }
}
