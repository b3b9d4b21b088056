// The newest generation of a chain, found without a listing: further and further on, then halving.

import { generationMax } from "../../../vault/replica/root.ts";

/**
 * The highest generation for which `exists` says yes, `known` if none above it. All up to the newest are there and none after it, so that about
 * 2 log2 of the distance are asked for; one if there is none.
 */
export async function newestGeneration(
  known: number,
  exists: (generation: number) => Promise<boolean>,
): Promise<number> {
  let there = known;
  let absent = generationMax + 1;
  for (let step = 1; there + step < absent; step *= 2) {
    if (await exists(there + step)) there += step;
    else absent = there + step;
  }
  while (absent - there > 1) {
    const middle = Math.floor((there + absent) / 2);
    if (await exists(middle)) there = middle;
    else absent = middle;
  }
  return there;
}
