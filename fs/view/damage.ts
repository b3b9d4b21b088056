// Which errors speak of one piece of a snapshot, and not of the connection, the keys or the whole.

import { ErrorCode, type HoldfastError, isHoldfastError } from "../../vault/errors.ts";

const codes: readonly ErrorCode[] = [
  ErrorCode.chunkMissing,
  ErrorCode.chunkDamaged,
  ErrorCode.promised,
  ErrorCode.leftOut,
  ErrorCode.corrupt,
  ErrorCode.truncated,
  ErrorCode.limitExceeded,
];

/** Whether the rest of a snapshot may still be readable after this error. */
export function isDamage(error: unknown): error is HoldfastError {
  return isHoldfastError(error) && codes.includes(error.code);
}
