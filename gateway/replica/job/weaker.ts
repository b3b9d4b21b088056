// Which of two proofs proves less.

import type { PlaceProof } from "../../index/packPlaces.ts";

const order: readonly PlaceProof[] = ["none", "checksum", "hashed"];

export function weaker(a: PlaceProof, b: PlaceProof): PlaceProof {
  return order.indexOf(a) < order.indexOf(b) ? a : b;
}
