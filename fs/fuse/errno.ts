// The one place where failures become errno values. docs/errors.md lists the same names.

import { constants } from "node:os";
import { ErrorCode, isHoldfastError } from "../../vault/errors.ts";

const { errno } = constants;
/** "No such attribute" is ENODATA on Linux. */
export const ENOATTR = errno.ENODATA;

/**
 * What a program that reads from a drive is told. Damage in any form, outages and what a read-only drive should never meet
 * are EIO, and only EIO is logged: so a code has another errno only where that tells its reader all there is to know. A busy
 * gateway is not EAGAIN, which programs take for a descriptor that does not block.
 */
const byCode: Readonly<Record<ErrorCode, number>> = {
  [ErrorCode.usage]: errno.EINVAL,
  [ErrorCode.notFound]: errno.ENOENT,
  [ErrorCode.exists]: errno.EIO,
  [ErrorCode.forbidden]: errno.EACCES,
  [ErrorCode.cancelled]: errno.EINTR,
  [ErrorCode.truncated]: errno.EIO,
  [ErrorCode.corrupt]: errno.EIO,
  [ErrorCode.unsupported]: errno.EOPNOTSUPP,
  [ErrorCode.limitExceeded]: errno.EIO,
  [ErrorCode.sealInvalid]: errno.EIO,
  [ErrorCode.idMismatch]: errno.EIO,
  [ErrorCode.keyWrong]: errno.EACCES,
  [ErrorCode.kdfWeak]: errno.EIO,
  [ErrorCode.authFailed]: errno.EACCES,
  [ErrorCode.codeRequired]: errno.EACCES,
  [ErrorCode.authThrottled]: errno.EBUSY,
  [ErrorCode.tokenInvalid]: errno.EACCES,
  [ErrorCode.accountDisabled]: errno.EACCES,
  [ErrorCode.vaultLocked]: errno.EACCES,
  [ErrorCode.gatewayUnreachable]: errno.EIO,
  [ErrorCode.proxyRefused]: errno.EIO,
  [ErrorCode.protocol]: errno.EIO,
  [ErrorCode.fingerprintMismatch]: errno.EIO,
  [ErrorCode.fingerprintUnknown]: errno.EIO,
  [ErrorCode.sessionEnded]: errno.EIO,
  [ErrorCode.backupCancelled]: errno.EIO,
  [ErrorCode.missingRefs]: errno.EIO,
  [ErrorCode.missingChunks]: errno.EIO,
  [ErrorCode.sequenceConflict]: errno.EIO,
  [ErrorCode.keysRotated]: errno.EIO,
  [ErrorCode.rollbackDetected]: errno.EIO,
  [ErrorCode.notHome]: errno.EIO,
  [ErrorCode.homeForged]: errno.EIO,
  [ErrorCode.homeBehind]: errno.EIO,
  [ErrorCode.seedSourceGone]: errno.EIO,
  [ErrorCode.dataDirLocked]: errno.EIO,
  [ErrorCode.dataDirInvalid]: errno.EIO,
  [ErrorCode.diskFull]: errno.EIO,
  [ErrorCode.quotaExceeded]: errno.EIO,
  [ErrorCode.ioError]: errno.EIO,
  [ErrorCode.chunkMissing]: errno.EIO,
  [ErrorCode.chunkDamaged]: errno.EIO,
  [ErrorCode.promised]: errno.EIO,
  [ErrorCode.leftOut]: errno.EIO,
  [ErrorCode.replicaUnreachable]: errno.EIO,
  [ErrorCode.replicaRefused]: errno.EIO,
  [ErrorCode.replicaFull]: errno.EIO,
  [ErrorCode.replicaDamaged]: errno.EIO,
  [ErrorCode.replicaFenced]: errno.EIO,
  [ErrorCode.mountFailed]: errno.EIO,
  [ErrorCode.alertNotSent]: errno.EIO,
  [ErrorCode.programFailed]: errno.EIO,
  [ErrorCode.hookFailed]: errno.EIO,
  [ErrorCode.busy]: errno.EBUSY,
  [ErrorCode.internal]: errno.EIO,
};

/** The errno (positive) for an error of a view; EIO for everything unforeseen. */
export function errnoOf(error: unknown): number {
  if (error instanceof ErrnoFailure) return error.errno;
  return isHoldfastError(error) ? byCode[error.code] : errno.EIO;
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
