// Sorting that gives way to others: a hundred thousand rows at once would hold the event loop up for a tenth of a second.

import { setImmediate as nextTurn } from "node:timers/promises";

/** A few milliseconds of work. */
const itemsAtOnce = 2048;

/** The items in order; what compares as equal keeps its order. Merge sort, with a turn of the event loop behind each portion. */
export async function sortedInTurns<Item>(
  items: readonly Item[],
  compare: (a: Item, b: Item) => number,
): Promise<Item[]> {
  let runs: Item[][] = [];
  for (let at = 0; at < items.length; at += itemsAtOnce) {
    runs.push(items.slice(at, at + itemsAtOnce).sort(compare));
    await nextTurn();
  }
  while (runs.length > 1) {
    const longer: Item[][] = [];
    for (let at = 0; at < runs.length; at += 2) {
      longer.push(await mergedInTurns(runs[at] as Item[], runs[at + 1] ?? [], compare));
    }
    runs = longer;
  }
  return runs[0] ?? [];
}

async function mergedInTurns<Item>(
  left: readonly Item[],
  right: readonly Item[],
  compare: (a: Item, b: Item) => number,
): Promise<Item[]> {
  const merged: Item[] = [];
  for (let [i, j] = [0, 0]; i < left.length || j < right.length; ) {
    const isLeft = j >= right.length || (i < left.length && compare(left[i] as Item, right[j] as Item) <= 0);
    merged.push((isLeft ? left[i++] : right[j++]) as Item);
    if (merged.length % itemsAtOnce === 0) await nextTurn();
  }
  return merged;
}
