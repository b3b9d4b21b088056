// How far a restored vault's packs have come back to its own disk. Each is tried once, the newest first, so that what is evicted
// again later is left alone.

import type { IndexEnvironment } from "../../index/environment.ts";
import { bytesCodec, openTable, type Table } from "../../index/table.ts";

const endKey = Buffer.from("end");

export class Backfill {
  readonly #environment: IndexEnvironment;
  readonly #table: Table<Uint8Array>;

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#table = openTable(environment, "backfill", bytesCodec);
  }

  /** Packs with ordinals below this were not tried yet; 0: there is nothing to do. */
  end(): number {
    const bytes = this.#table.get(endKey);
    return bytes === undefined ? 0 : Buffer.from(bytes).readUInt32BE(0);
  }

  /** Notes it, in the open transaction or one of its own. */
  setEnd(end: number): void {
    this.#environment.write(() => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(end);
      if (end === 0) this.#table.remove(endKey);
      else this.#table.put(endKey, bytes);
    });
  }
}
