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

/** At a box to restore from, whose own list says what was left out. */
function leftOutHere(): HoldfastError {
  return new HoldfastError(
    ErrorCode.leftOut,
    "it was left out of this box: the target had it when the box was made, or it was not asked for",
    { next: "Restore to the target that the box was made for, or from the account's home." },
  );
}

/** The box of an error that `withPromised` gave; 0 where it was left out here. */
export function promisingBox(outcome: unknown): number | undefined {
  if (!(outcome instanceof HoldfastError)) return undefined;
  if (outcome.code === ErrorCode.leftOut) return 0;
  return outcome.code === ErrorCode.promised ? Number(outcome.detail.box) : undefined;
}

/**
 * What was read, with an error in the place of what is on its way, or left out here. `boxes`: by place, where there is one; `own`: the number
 * of a box to restore from that this is.
 */
export async function* withPromised(
  outcomes: AsyncIterable<ReadOutcome | undefined>,
  boxes: readonly (number | undefined)[],
  own: number | undefined,
): AsyncGenerator<ReadOutcome | undefined> {
  let at = 0;
  for await (const outcome of outcomes) {
    const box = boxes[at++];
    if (outcome !== undefined || box === undefined) yield outcome;
    else yield box === own ? leftOutHere() : promisedBy(box);
  }
}
