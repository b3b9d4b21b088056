// The order in which records lie in packs. Neighbours of a file may have changed places there: taken in this order, more of them are
// read together.

import type { Location } from "./recordToStore.ts";

/** Indexes of `places`, those that lie first first; what has no place comes before all others. */
export function placeOrder(places: readonly (Location | undefined)[]): number[] {
  const order = [...places.keys()];
  return order.length < 2 ? order : order.sort((one, other) => byPlace(places[one], places[other]));
}

function byPlace(one: Location | undefined, other: Location | undefined): number {
  if (one === undefined || other === undefined)
    return (one === undefined ? 0 : 1) - (other === undefined ? 0 : 1);
  return one.pack - other.pack || one.offset - other.offset;
}
