// How many packs a vault has and how large they are.

import { packSlices } from "../index/packSlices.ts";
import type { PackState, PackTable } from "../index/packTable.ts";

export type PackTotals = Readonly<Record<PackState, { readonly packs: number; readonly bytes: number }>>;

export async function packTotals(table: PackTable): Promise<PackTotals> {
  const totals = {
    open: { packs: 0, bytes: 0 },
    closed: { packs: 0, bytes: 0 },
    evicted: { packs: 0, bytes: 0 },
  };
  for await (const rows of packSlices(table)) {
    for (const { state, bytes, coveredBytes } of rows) {
      totals[state].packs++;
      totals[state].bytes += state === "open" ? coveredBytes : bytes;
    }
  }
  return totals;
}
