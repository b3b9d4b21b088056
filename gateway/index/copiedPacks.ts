// The newest pack that repack put copies into: packs that left are doomed in a replica only when all up to this one are listed there.

import type { IndexEnvironment } from "./environment.ts";
import { jsonCodec, openTable, type Table } from "./table.ts";

const key = Buffer.from("copied-up-to");

export class CopiedPacks {
  readonly #rows: Table<number>;

  constructor(environment: IndexEnvironment) {
    this.#rows = openTable(environment, "gc-copies", jsonCodec<number>());
  }

  /** Ordinal of the newest one; -1: none. */
  get upTo(): number {
    return this.#rows.get(key) ?? -1;
  }

  /** Inside a write transaction: rows name copies in a pack now. */
  note(pack: number): void {
    if (pack > this.upTo) this.#rows.put(key, pack);
  }
}
