// Which small packs are written into larger ones although all of them lives (docs/decisions/0015, "Small packs").
//
// Sorted by size, the most packs from the smallest on are taken of which the largest is at most a quarter of all together. So what a pack holds
// comes into one four times as large, hence is copied a logarithmic number of times; what is taken leaves nothing that would be taken
// again; and of packs that are left each is larger than a third of all smaller ones together, hence they are few.

import { limits } from "../../../vault/limits.ts";
import type { PackRow } from "../../index/packTable.ts";

/** Packs of a smaller part of the size at which packs are closed are small. */
const smallPart = 1 / 4;
/** All together are at least so many times as large as the largest of them. */
const growth = 4;

export type SizedPack = {
  /** Of its records that live, with their frames. */
  readonly liveBytes: number;
};

/** Whether a pack is small where packs are closed at `targetBytes`. One with very many records is full, however short they are. */
export function isSmall(
  { bytes, records }: Pick<PackRow, "bytes" | "records">,
  targetBytes: number,
): boolean {
  return bytes < targetBytes * smallPart && records < limits.packRecordsMax * smallPart;
}

/** Of small packs of one vault and kind: those that are to be merged, the smallest first; none where it is not worth it, or copies more than `bytesMax`. */
export function packsToMerge<Pack extends SizedPack>(small: readonly Pack[], bytesMax: number): Pack[] {
  const sorted = small.toSorted((a, b) => a.liveBytes - b.liveBytes);
  let [sum, count] = [0, 0];
  for (const [at, { liveBytes }] of sorted.entries()) {
    sum += liveBytes;
    if (sum > bytesMax) break;
    if (sum >= growth * liveBytes) count = at + 1;
  }
  return sorted.slice(0, count > 1 ? count : 0);
}
