// Which packs a replica lacks: what was left out before, copies that were found wrong, and what came after the job's cursor. No other pack is
// looked at.

import type { PackPlaces } from "../../index/packPlaces.ts";
import type { PackRow, PackTable } from "../../index/packTable.ts";
import type { JobRow } from "./jobState.ts";

export type PendingPack = {
  readonly ordinal: number;
  readonly name: Uint8Array;
  readonly row: PackRow;
  /** The replica acknowledged it; no root lists it yet. */
  readonly put: boolean;
  /** A root lists it, and its copy there was found missing or wrong: it is to be put there anew. */
  readonly wrong?: boolean;
};

export type PackGroup = {
  readonly packs: readonly PendingPack[];
  /** Ordinals that are passed over: packs that are still open. */
  readonly left: readonly number[];
  /** Where the cursor stands behind this group. */
  readonly cursor: number;
  /** No pack is left for another group. */
  readonly last: boolean;
};

/** Rows that are read in one go. */
const rowsAtOnce = 1024;

export class PendingPacks {
  readonly #table: PackTable;
  readonly #places: PackPlaces;
  readonly #replica: string;
  /** Left out by earlier runs and not looked at in this one. */
  readonly #earlier: number[];
  /** Copies that were found wrong and not looked at in this run. */
  readonly #wrong: number[];
  #cursor: number;

  constructor(
    table: PackTable,
    places: PackPlaces,
    replica: string,
    job: Pick<JobRow, "packCursor" | "packsLeft">,
  ) {
    this.#table = table;
    this.#places = places;
    this.#replica = replica;
    this.#wrong = places.wrong(replica);
    this.#earlier = job.packsLeft.filter((ordinal) => !this.#wrong.includes(ordinal));
    this.#cursor = job.packCursor;
  }

  /** Ordinals that stay left out as long as no group has looked at them. */
  get earlier(): readonly number[] {
    return this.#earlier;
  }

  /** The next group, of `packsMax` packs at most. */
  next(packsMax: number): PackGroup {
    const packs: PendingPack[] = [];
    const left: number[] = [];
    const look = (row: PackRow | undefined, wrong = false): void => {
      if (row === undefined) return;
      if (row.name === undefined) {
        left.push(row.ordinal);
        return;
      }
      const place = this.#places.get(row.ordinal, this.#replica);
      if (place?.listed === true && !wrong) return;
      packs.push({
        ordinal: row.ordinal,
        name: row.name,
        row,
        put: place !== undefined && place.proof !== "none" && !wrong,
        wrong,
      });
    };
    while (packs.length < packsMax && this.#wrong.length > 0)
      look(this.#table.get(this.#wrong.shift()!), true);
    while (packs.length < packsMax && this.#earlier.length > 0) look(this.#table.get(this.#earlier.shift()!));
    while (packs.length < packsMax) {
      const rows = this.#table.from(this.#cursor, Math.min(rowsAtOnce, packsMax - packs.length));
      if (rows.length === 0) break;
      for (const row of rows) look(row);
      this.#cursor = rows.at(-1)!.ordinal + 1;
    }
    const known = this.#wrong.length + this.#earlier.length;
    const last = known === 0 && this.#table.from(this.#cursor, 1).length === 0;
    return { packs, left, cursor: this.#cursor, last };
  }
}

/** Packs and bytes that a job still has to send. Gives way to other work while it counts. */
export async function countPending(pending: PendingPacks): Promise<{ packs: number; bytes: number }> {
  const sum = { packs: 0, bytes: 0 };
  for (;;) {
    const group = pending.next(rowsAtOnce);
    for (const { row, put } of group.packs) {
      if (put) continue;
      sum.packs++;
      sum.bytes += row.bytes;
    }
    if (group.last) return sum;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
