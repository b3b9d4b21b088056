// Why a record that is promised cannot be read.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { ReadOutcome } from "../store/packReader.ts";

/** `box`: the number of the box that it comes with. */
function promisedBy(box: number): HoldfastError {
  return new HoldfastError(ErrorCode.promised, `it is on box ${box}, which is on its way`, {
    next: "It can be read when that box was imported.",
    detail: { box },
  });
}

/** The box of an error that `promisedBy` made. */
export function promisingBox(outcome: unknown): number | undefined {
  if (!(outcome instanceof HoldfastError) || outcome.code !== ErrorCode.promised) return undefined;
  return Number(outcome.detail.box);
}

/** What was read, with the box's error in the place of what is on its way. `boxes`: by place, where there is one. */
export async function* withPromised(
  outcomes: AsyncIterable<ReadOutcome | undefined>,
  boxes: readonly (number | undefined)[],
): AsyncGenerator<ReadOutcome | undefined> {
  let at = 0;
  for await (const outcome of outcomes) {
    const box = boxes[at++];
    yield outcome === undefined && box !== undefined ? promisedBy(box) : outcome;
  }
}
