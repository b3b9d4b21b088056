// The one place that turns an error code into an HTTP status. docs/errors.md lists the same numbers.

import { ErrorCode } from "../../vault/errors.ts";

const statuses: Readonly<Record<ErrorCode, number>> = {
  [ErrorCode.usage]: 400,
  [ErrorCode.notFound]: 404,
  [ErrorCode.exists]: 409,
  [ErrorCode.forbidden]: 403,
  [ErrorCode.cancelled]: 503,
  [ErrorCode.truncated]: 400,
  [ErrorCode.corrupt]: 400,
  [ErrorCode.unsupported]: 400,
  [ErrorCode.limitExceeded]: 413,
  [ErrorCode.sealInvalid]: 400,
  [ErrorCode.idMismatch]: 400,
  [ErrorCode.keyWrong]: 403,
  [ErrorCode.kdfWeak]: 400,
  [ErrorCode.authFailed]: 401,
  [ErrorCode.authThrottled]: 429,
  [ErrorCode.tokenInvalid]: 401,
  [ErrorCode.accountDisabled]: 403,
  [ErrorCode.vaultLocked]: 423,
  [ErrorCode.gatewayUnreachable]: 502,
  [ErrorCode.protocol]: 400,
  [ErrorCode.fingerprintMismatch]: 502,
  [ErrorCode.fingerprintUnknown]: 502,
  [ErrorCode.sessionEnded]: 409,
  [ErrorCode.missingRefs]: 409,
  [ErrorCode.missingChunks]: 409,
  [ErrorCode.sequenceConflict]: 409,
  [ErrorCode.rollbackDetected]: 409,
  [ErrorCode.notHome]: 421,
  [ErrorCode.homeForged]: 502,
  [ErrorCode.homeBehind]: 409,
  [ErrorCode.seedSourceGone]: 502,
  [ErrorCode.dataDirLocked]: 503,
  [ErrorCode.dataDirInvalid]: 500,
  [ErrorCode.diskFull]: 507,
  [ErrorCode.quotaExceeded]: 507,
  [ErrorCode.ioError]: 500,
  [ErrorCode.chunkMissing]: 500,
  [ErrorCode.chunkDamaged]: 500,
  [ErrorCode.promised]: 503,
  [ErrorCode.leftOut]: 404,
  [ErrorCode.replicaUnreachable]: 502,
  [ErrorCode.replicaRefused]: 502,
  [ErrorCode.replicaFull]: 507,
  [ErrorCode.replicaDamaged]: 500,
  [ErrorCode.replicaFenced]: 409,
  [ErrorCode.mountFailed]: 500,
  [ErrorCode.busy]: 503,
  [ErrorCode.internal]: 500,
};

/** The HTTP status of an error code. */
export function httpStatus(code: ErrorCode): number {
  return statuses[code];
}
