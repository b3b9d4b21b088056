// What an S3 server's or the network's "no" means: another try, a HoldfastError, or an answer that the caller expects.

import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import { isCertificateError, TransportError } from "./transportError.ts";

/** The parts of the SDK's exceptions that are used here. */
type ServiceError = Error & {
  readonly $metadata?: { readonly httpStatusCode?: number; readonly clockSkewCorrected?: boolean };
  readonly Region?: string;
};

/** The HTTP status of an error that the server answered, else undefined. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof Error ? (error as ServiceError).$metadata?.httpStatusCode : undefined;
}

/** The server's code of an error (NoSuchKey, SlowDown, ...); HEAD has none and gives what the SDK makes of the status. */
export function codeOf(error: unknown): string {
  return error instanceof Error ? error.name : "";
}

/** Whether the request may have been carried out although it failed. */
export function isLost(error: unknown): boolean {
  return error instanceof TransportError || (statusOf(error) ?? 0) >= 500;
}

const laterStatuses = [408, 425, 429, 500, 502, 503, 504];
const laterCodes = [
  // too many requests, or a server in trouble
  "SlowDown", "Throttling", "ThrottlingException", "TooManyRequests", "RequestLimitExceeded", "BandwidthLimitExceeded", "InternalError", "ServiceUnavailable", "Busy",
  // our bytes were lost or changed on the way
  "RequestTimeout", "IncompleteBody", "BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch",
  // two conditional writes of one key at a time
  "OperationAborted", "ConditionalRequestConflict",
  // the SDK has noted the server's time by now
  "RequestTimeTooSkewed",
]; // biome-ignore format: by reason

/** Whether the same request may do better later. */
export function isWorthAnotherTry(error: unknown): boolean {
  if (error instanceof TransportError || laterCodes.includes(codeOf(error))) return true;
  const status = statusOf(error);
  if (status === undefined) return false;
  // The answer to a HEAD has no code; the SDK has found from its Date that the clocks differ, and signs with the server's time now.
  if ((error as ServiceError).$metadata?.clockSkewCorrected === true) return true;
  // An answer of success that could not be read: it came damaged.
  if (status < 300) return true;
  return laterStatuses.includes(status) && !isFull(error);
}

function isFull(error: unknown): boolean {
  const full = [
    "QuotaExceeded",
    "XMinioStorageFull",
    "XMinioAdminBucketQuotaExceeded",
    "InsufficientStorage",
    "EntityTooLarge",
    "TooManyBuckets",
  ];
  return full.includes(codeOf(error)) || statusOf(error) === 507;
}

/** What to do about refusals, by the server's code. */
const nextSteps: Readonly<Record<string, string>> = {
  NoSuchBucket:
    "Make the bucket, or correct its name; a replica is never made in a bucket that is not there.",
  NoSuchUpload: "Nothing needs to be done: the next try begins this object anew.",
  InvalidAccessKeyId: "Check the access key of the replica's credentials, and that its user is active.",
  SignatureDoesNotMatch: "Check the secret key of the replica's credentials.",
  ExpiredToken: "Renew the session token of the replica's credentials.",
  InvalidToken: "Renew the session token of the replica's credentials.",
  UserSuspended: "The store suspended this user: ask its operator.",
  AccessDenied:
    "Check that the user is active and may do this (docs/replicas.md lists what a replica needs).",
  RequestTimeTooSkewed: "Set this machine's clock, or the server's: they differ too much to sign requests.",
  PermanentRedirect: "Give the bucket's own region with --region.",
  AuthorizationHeaderMalformed: "Give the bucket's own region with --region.",
  IllegalLocationConstraintException: "Give the bucket's own region with --region.",
  CredentialsProviderError:
    "Give --credentials-file, --profile, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
  TokenProviderError: "Sign in to the profile again, or give --credentials-file.",
};

/** An answer to HEAD does not tell a wrong key from a right one that may not. */
const refusedWithoutWords = `Check the access key and the secret key of the replica's credentials. ${nextSteps.AccessDenied}`;

/**
 * The last failure of a call as what people see; what is none of these passes as it is. `what`: the call and object; `url`: the replica.
 * Neither has credentials.
 */
export function finalError(error: unknown, what: string, url: string): HoldfastError {
  if (isHoldfastError(error, ErrorCode.proxyRefused)) return refusedByProxy(error, url);
  if (isHoldfastError(error)) return error;
  const code = codeOf(error);
  const system = (error as NodeJS.ErrnoException)?.code;
  if (isCertificateError(system)) {
    return new HoldfastError(ErrorCode.replicaRefused, `${url}: its certificate is not trusted (${system})`, {
      next: "Give the certificate of its authority with --ca-file, or mend the server's.",
      cause: error,
    });
  }
  if (!(error instanceof TransportError) && statusOf(error) === undefined && !(code in nextSteps)) {
    throw error; // not of the server or the network: a defect of ours
  }
  const words = error instanceof TransportError ? error.message : serverWords(error);
  const message = `${url}: ${what}: ${words}`;
  if (isFull(error)) {
    return new HoldfastError(ErrorCode.replicaFull, message, {
      next: "Make room there or raise the quota; replication goes on by itself.",
    });
  }
  if (isWorthAnotherTry(error) && code !== "RequestTimeTooSkewed") {
    return new HoldfastError(ErrorCode.replicaUnreachable, message, {
      next: "Check the network and the server; replication tries again by itself.",
    });
  }
  const region = (error as ServiceError)?.Region;
  const next = region === undefined ? nextSteps[code] : `Give --region ${region}.`;
  return new HoldfastError(ErrorCode.replicaRefused, message, {
    next: next ?? (statusOf(error) === 403 ? refusedWithoutWords : "Mend what the server's words name."),
  });
}

/** The server was not even asked. */
function refusedByProxy(error: HoldfastError, url: string): HoldfastError {
  const { message, next = "Look at the proxy in config.toml.", detail } = error;
  return new HoldfastError(ErrorCode.replicaRefused, `${url}: ${message}`, { next, detail, cause: error });
}

/** A refusal by what we make of the server's answers. `code`: the server's, for what to do next. */
export function refusal(code: string, message: string): HoldfastError {
  return new HoldfastError(ErrorCode.replicaRefused, message, {
    next: nextSteps[code] ?? "Mend what the server's words name.",
  });
}

/** The server's own words, in one line. Signatures, which some servers repeat, stand in other fields and are not taken. */
function serverWords(error: unknown): string {
  const status = statusOf(error);
  const { name, message } = error instanceof Error ? error : new Error(String(error));
  // Answers to HEAD have no words, and some servers give none at all: then these are the SDK's.
  const parts = [name, message].filter((part) => !/^Unknown(Error)?$/.test(part));
  const text = parts.join(": ") || "the server gave no reason";
  const line = text
    .split("\n", 1)[0]!
    .replace(/[^\x20-\x7e]+/g, " ")
    .slice(0, 300);
  return status === undefined ? line : `${line} (HTTP ${status})`;
}
