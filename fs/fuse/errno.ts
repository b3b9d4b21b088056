// The one place where failures become errno values.

import { constants } from "node:os";
import { ErrorCode, isHoldfastError } from "../../vault/errors.ts";

const { errno } = constants;
/** "No such attribute" is ENODATA on Linux. */
export const ENOATTR = errno.ENODATA;

const byCode: Partial<Record<ErrorCode, number>> = {
  [ErrorCode.notFound]: errno.ENOENT,
  [ErrorCode.vaultLocked]: errno.EACCES,
  [ErrorCode.forbidden]: errno.EACCES,
  [ErrorCode.authFailed]: errno.EACCES,
  [ErrorCode.tokenInvalid]: errno.EACCES,
  [ErrorCode.accountDisabled]: errno.EACCES,
  [ErrorCode.limitExceeded]: errno.ENAMETOOLONG,
  [ErrorCode.cancelled]: errno.EINTR,
  [ErrorCode.usage]: errno.EINVAL,
  [ErrorCode.truncated]: errno.EINVAL,
  [ErrorCode.unsupported]: errno.EOPNOTSUPP,
  [ErrorCode.busy]: errno.EAGAIN,
};

/** The errno (positive) for an error of a view; EIO for damage, outages and everything unforeseen. */
export function errnoOf(error: unknown): number {
  if (error instanceof ErrnoFailure) return error.errno;
  return (isHoldfastError(error) ? byCode[error.code] : undefined) ?? errno.EIO;
}

/** An answer that is an errno without being a failure worth a log line. */
class ErrnoFailure extends Error {
  readonly errno: number;
  constructor(value: number) {
    super(`errno ${value}`);
    this.errno = value;
  }
}

const failures = new Map<number, ErrnoFailure>();

/**
 * What to throw for an errno that is an ordinary answer, such as "no such attribute". One object per errno: capturing a
 * stack for each would cost more than the whole answer.
 */
export function errnoFailure(value: number): Error {
  const known = failures.get(value) ?? new ErrnoFailure(value);
  failures.set(value, known);
  return known;
}
