// Which packs of a box's manifest are settled in a vault: what came of each, durable with the rows of its records.

import type { IndexEnvironment } from "../../index/environment.ts";
import { bytesCodec, openTable, type Table } from "../../index/table.ts";
import type { PackOutcome } from "./packIntake.ts";

const outcomes: readonly PackOutcome[] = ["kept", "merged", "present"];

export type OutcomeCounts = Record<PackOutcome, number>;

export class ImportedPacks {
  readonly #rows: Table<Uint8Array>;

  constructor(environment: IndexEnvironment) {
    this.#rows = openTable(environment, "seed-packs", bytesCodec);
  }

  outcomeOf(box: number, name: Uint8Array): PackOutcome | undefined {
    const row = this.#rows.get(keyOf(box, name));
    return row === undefined ? undefined : outcomes[row[0]!];
  }

  /** Inside a write transaction. */
  settle(box: number, name: Uint8Array, outcome: PackOutcome): void {
    this.#rows.put(keyOf(box, name), Uint8Array.of(outcomes.indexOf(outcome)));
  }
}

function keyOf(box: number, name: Uint8Array): Buffer {
  const key = Buffer.alloc(4 + name.length);
  key.writeUInt32BE(box);
  key.set(name, 4);
  return key;
}
