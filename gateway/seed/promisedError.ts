// Why a record that is promised cannot be read.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

/** `box`: the number of the box that it comes with. */
export function promisedBy(box: number): HoldfastError {
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
