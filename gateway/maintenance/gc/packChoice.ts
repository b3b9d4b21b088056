// What becomes of each pack, by how much of it lives.

import type { OrdinalSet } from "../../index/ordinalSet.ts";
import type { PackKind, PackRow } from "../../index/packTable.ts";
import type { Collection } from "./collection.ts";
import type { PackCensus } from "./packCensus.ts";
import { isSmall, packsToMerge } from "./smallPacks.ts";
import { eachSettled } from "./sweep.ts";

/** Packs of which a smaller part lives are written anew. */
const liveBelow = 0.7;

export type PackChoice = {
  /** Nothing in them lives. */
  readonly dead: readonly PackRow[];
  /** To be written anew since little of them lives, the least first. */
  readonly anew: readonly PackRow[];
  /** Small ones that are to be written together, the smallest first, as far as so many bytes may be copied. */
  readonly merge: (bytesMax: number) => PackRow[];
  /** Dead bytes in packs that are in replicas alone and stay. */
  readonly awayBytes: number;
};

/** `among`: ordinals of the only packs that are looked at. */
export async function choosePacks(
  collection: Collection,
  census: PackCensus,
  among?: OrdinalSet,
): Promise<PackChoice> {
  const { packBytesTarget } = collection.vault.store;
  const dead: PackRow[] = [];
  const anew: PackRow[] = [];
  const small: Record<PackKind, { row: PackRow; liveBytes: number }[]> = { data: [], meta: [] };
  let awayBytes = 0;
  await eachSettled(collection, (row) => {
    if (among?.has(row.ordinal) === false) return;
    const liveBytes = census.liveBytes(row);
    // One that is in replicas alone only where it may be fetched.
    const isHere = row.state === "closed" || collection.evicted;
    if (census.isDead(row)) dead.push(row);
    else if (isHere && census.livePart(row) < liveBelow) anew.push(row);
    else if (isHere && census.mayMove(row) && isSmall(row, packBytesTarget)) {
      small[row.kind].push({ row, liveBytes });
    } else if (row.state === "evicted") awayBytes += row.bytes - liveBytes;
  });
  anew.sort((a, b) => census.livePart(a) - census.livePart(b));
  return {
    ...{ dead, anew, awayBytes },
    merge: (bytesMax) => {
      const chosen: PackRow[] = [];
      let left = bytesMax;
      for (const kind of ["meta", "data"] as const) {
        for (const { row, liveBytes } of packsToMerge(small[kind], left)) {
          chosen.push(row);
          left -= liveBytes;
        }
      }
      return chosen;
    },
  };
}
