// Reports of restore drills of one vault, in its environment: what was drawn and how much of it was right. Names of files are sealed, so a report has
// none: the seed draws the same again.

import type { IndexEnvironment } from "../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";

export type DrillRow = {
  /** When it began, RFC 3339. */
  readonly at: string;
  readonly seed: string;
  /** Files and bytes that were asked for. */
  readonly files: number;
  readonly bytes: number;
  /** Files that were read whole and had their hash; and those of which a part was read, since they are too large. */
  readonly right: number;
  readonly partly: number;
  readonly readBytes: number;
  /** Files, or folders on the way to one, that could not be read or had another hash. */
  readonly wrong: number;
  /** Snapshots (64 hex digits) that these are of. */
  readonly hurt: readonly string[];
  readonly seconds: number;
};

/** Reports that are kept of a vault. */
const keptMax = 1000;

export class DrillRows {
  readonly #environment: IndexEnvironment;
  readonly #rows: Table<DrillRow>;

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#rows = openTable(environment, "drills", jsonCodec<DrillRow>());
  }

  /** The newest first. */
  list(): DrillRow[] {
    return this.#rows.entries({ reverse: true }).map(([, row]) => row);
  }

  add(row: DrillRow): void {
    this.#environment.write(() => {
      const rows = this.#rows.entries();
      const last = rows.at(-1)?.[0];
      const number = last === undefined ? 0n : Buffer.from(last).readBigUInt64BE() + 1n;
      const key = Buffer.alloc(8);
      key.writeBigUInt64BE(number);
      this.#rows.put(key, row);
      for (const [old] of rows.slice(0, Math.max(0, rows.length + 1 - keptMax))) this.#rows.remove(old);
    });
  }
}
