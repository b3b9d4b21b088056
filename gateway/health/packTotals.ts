// How many packs a vault has and how large they are. Gives way to other work while it counts: a vault may have a million.

import { setImmediate as nextTurn } from "node:timers/promises";
import type { PackState, PackTable } from "../index/packTable.ts";

export type PackTotals = Readonly<Record<PackState, { readonly packs: number; readonly bytes: number }>>;

const rowsAtOnce = 1024;

export async function packTotals(table: PackTable): Promise<PackTotals> {
  const totals = {
    open: { packs: 0, bytes: 0 },
    closed: { packs: 0, bytes: 0 },
    evicted: { packs: 0, bytes: 0 },
  };
  for (let next = 0; ; ) {
    const rows = table.from(next, rowsAtOnce);
    for (const { state, bytes, coveredBytes } of rows) {
      totals[state].packs++;
      totals[state].bytes += state === "open" ? coveredBytes : bytes;
    }
    if (rows.length < rowsAtOnce) return totals;
    next = rows.at(-1)!.ordinal + 1;
    await nextTurn();
  }
}
