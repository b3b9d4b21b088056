// One error type with a closed list of codes. docs/errors.md documents every code, and
// test/tidy.test.ts holds the two together. Expected failures are HoldfastErrors; a broken
// invariant inside our own code is a plain Error and is allowed to crash.

/** Every code that a user, an API client or a log reader can meet. */
export const ErrorCode = {
  // what the caller asked for
  usage: "usage",
  notFound: "not-found",
  exists: "exists",
  forbidden: "forbidden",
  cancelled: "cancelled",
  // bytes from outside
  truncated: "truncated",
  corrupt: "corrupt",
  unsupported: "unsupported",
  limitExceeded: "limit-exceeded",
  sealInvalid: "seal-invalid",
  idMismatch: "id-mismatch",
  // keys and people
  keyWrong: "key-wrong",
  kdfWeak: "kdf-weak",
  authFailed: "auth-failed",
  codeRequired: "code-required",
  authThrottled: "auth-throttled",
  tokenInvalid: "token-invalid",
  accountDisabled: "account-disabled",
  vaultLocked: "vault-locked",
  // the protocol
  gatewayUnreachable: "gateway-unreachable",
  proxyRefused: "proxy-refused",
  protocol: "protocol",
  fingerprintMismatch: "fingerprint-mismatch",
  fingerprintUnknown: "fingerprint-unknown",
  sessionEnded: "session-ended",
  backupCancelled: "backup-cancelled",
  missingRefs: "missing-refs",
  missingChunks: "missing-chunks",
  sequenceConflict: "sequence-conflict",
  keysRotated: "keys-rotated",
  rollbackDetected: "rollback-detected",
  notHome: "not-home",
  homeForged: "home-forged",
  homeBehind: "home-behind",
  seedSourceGone: "seed-source-gone",
  // disks and machines
  dataDirLocked: "data-dir-locked",
  dataDirInvalid: "data-dir-invalid",
  diskFull: "disk-full",
  quotaExceeded: "quota-exceeded",
  ioError: "io-error",
  chunkMissing: "chunk-missing",
  chunkDamaged: "chunk-damaged",
  promised: "promised",
  leftOut: "left-out",
  // replicas
  replicaUnreachable: "replica-unreachable",
  replicaRefused: "replica-refused",
  replicaFull: "replica-full",
  replicaDamaged: "replica-damaged",
  replicaFenced: "replica-fenced",
  mountFailed: "mount-failed",
  alertNotSent: "alert-not-sent",
  programFailed: "program-failed",
  hookFailed: "hook-failed",
  busy: "busy",
  internal: "internal",
} as const;

export type ErrorCode = (typeof ErrorCode)[keyof typeof ErrorCode];

/** Facts that go with an error into JSON and logs: never secrets, never content. */
export type ErrorDetail = Readonly<Record<string, string | number | boolean | readonly string[]>>;

export type ErrorOptions = {
  /** What the reader should do next, as one sentence. */
  readonly next?: string;
  readonly detail?: ErrorDetail;
  readonly cause?: unknown;
};

/** An expected failure. `message` says what and why in one line; `next` says what to do. */
export class HoldfastError extends Error {
  readonly code: ErrorCode;
  readonly next: string | undefined;
  readonly detail: ErrorDetail;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "HoldfastError";
    this.code = code;
    this.next = options.next;
    this.detail = options.detail ?? {};
  }
}

/** True for a HoldfastError, of the given code where one is given. */
export function isHoldfastError(error: unknown, code?: ErrorCode): error is HoldfastError {
  return error instanceof HoldfastError && (code === undefined || error.code === code);
}
