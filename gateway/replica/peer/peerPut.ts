// Putting objects to a peer: small ones in one request; longer ones in parts, which go on where they stopped, also in another process days later.

import {
  healHeader,
  objectHashHeader,
  peerLimits,
  type UploadAnswer,
  type UploadRequest,
} from "../../../ingest/wire/peer.ts";
import { octetStream } from "../../../ingest/wire/protocol.ts";
import { toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import { asInteger, asObject, parseJson } from "../../../vault/jsonFields.ts";
import type { ObjectSource, PutOptions } from "../replicaStore.ts";
import type { PeerConnection } from "./peerConnection.ts";

/** Times that an upload may turn out to be elsewhere than we thought, or gone, before we give up. */
const surprisesMax = 8;

export type PeerPut = {
  readonly key: string;
  readonly source: ObjectSource;
  readonly heal: boolean;
  readonly options: PutOptions;
  readonly signal: AbortSignal;
};

/** `tried`: called before each try that sends bytes. */
type CountedPut = PeerPut & { readonly tried: () => void };

/** `maybeOurs`: an answer was lost on the way, so that what exists may be what an earlier try of this put stored. */
export type PutOutcome = "created" | "exists" | "maybeOurs";

/**
 * Stores an object.
 * @throws HoldfastError as PeerConnection.ask; what the source throws
 */
export async function putToPeer(connection: PeerConnection, put: PeerPut): Promise<PutOutcome> {
  let tries = 0;
  const counted = {
    ...put,
    tried: (): void => {
      tries++;
    },
  };
  const whole = put.source.bytes <= peerLimits.putBytesMax;
  try {
    await (whole ? putWhole(connection, counted) : putParts(connection, counted));
    return "created";
  } catch (error) {
    if (!isHoldfastError(error, ErrorCode.exists)) throw error;
    return tries > (whole ? 1 : 0) ? "maybeOurs" : "exists";
  }
}

async function putWhole(connection: PeerConnection, put: CountedPut): Promise<void> {
  const { key, source, heal, options, signal, tried } = put;
  const bytes = await source.read(0, source.bytes);
  await connection.ask({
    name: "PutObject",
    method: "PUT",
    path: `/v1/peer/objects/${key}`,
    binary: bytes.length === 0 ? [] : [bytes],
    headers: {
      "content-type": octetStream,
      "content-length": String(bytes.length),
      [objectHashHeader]: toHex(source.sha256),
      ...(heal ? { [healHeader]: "1" } : { "if-none-match": "*" }),
    },
    sends: bytes.length,
    tried,
    throttle: options.throttle,
    signal,
  });
}

async function putParts(connection: PeerConnection, put: CountedPut): Promise<void> {
  const { source, options, signal } = put;
  let at = await startUpload(connection, put);
  options.savePart?.(at.upload);
  try {
    for (let surprises = 0; !at.done; ) {
      const length = Math.min(peerLimits.partBytesMax, source.bytes - at.offset);
      const bytes = await source.read(at.offset, length);
      try {
        at = await putPart(connection, put, at, bytes);
      } catch (error) {
        // An answer was lost, the far end forgot, or another writer puts the same object: what is there counts.
        if (++surprises > surprisesMax) throw error;
        if (isHoldfastError(error, ErrorCode.sequenceConflict)) {
          at = { ...at, offset: offsetIn(error, source.bytes) };
        } else if (isHoldfastError(error, ErrorCode.notFound)) {
          at = await startUpload(connection, put);
          options.savePart?.(at.upload);
        } else throw error;
      }
    }
    options.savePart?.(undefined);
  } catch (error) {
    const { corrupt, exists, cancelled, replicaUnreachable } = ErrorCode;
    const over = isHoldfastError(error) && ([corrupt, exists] as ErrorCode[]).includes(error.code);
    const later =
      isHoldfastError(error) && ([cancelled, replicaUnreachable] as ErrorCode[]).includes(error.code);
    if (over) options.savePart?.(undefined);
    else if (!later && options.savePart === undefined && !signal.aborted)
      await abortUpload(connection, at, signal);
    throw error;
  }
}

/** Begins an upload; the far end answers with the one of the same object where it has one. */
async function startUpload(connection: PeerConnection, put: PeerPut): Promise<UploadAnswer> {
  const { key, source, heal, signal } = put;
  const json: UploadRequest = { key, bytes: source.bytes, sha256: toHex(source.sha256), heal };
  const { body } = await connection.ask({
    name: "StartUpload",
    method: "POST",
    path: "/v1/peer/uploads",
    json,
    signal,
  });
  return parseUploadAnswer(body, source.bytes);
}

async function putPart(
  connection: PeerConnection,
  put: CountedPut,
  at: UploadAnswer,
  bytes: Uint8Array,
): Promise<UploadAnswer> {
  const { source, options, signal, tried } = put;
  const { body } = await connection.ask({
    name: "PutPart",
    method: "PUT",
    path: `/v1/peer/uploads/${at.upload}?offset=${at.offset}`,
    binary: [bytes],
    sends: bytes.length,
    tried,
    throttle: options.throttle,
    signal,
  });
  const answer = parseUploadAnswer(body, source.bytes);
  const moved = answer.offset === at.offset + bytes.length;
  if (moved && answer.done === (answer.offset === source.bytes)) return answer;
  throw new HoldfastError(ErrorCode.replicaRefused, "the peer lost count of an upload");
}

/** Where an upload goes on, as a refusal says. @throws the refusal, where it says nothing that can be */
function offsetIn(refusal: HoldfastError, bytes: number): number {
  const { offset } = refusal.detail;
  if (typeof offset === "number" && Number.isSafeInteger(offset) && offset >= 0 && offset < bytes)
    return offset;
  throw refusal;
}

/** Best effort: what is left there goes by itself after a day. */
async function abortUpload(connection: PeerConnection, at: UploadAnswer, signal: AbortSignal): Promise<void> {
  const request = { name: "AbortUpload", method: "DELETE", path: `/v1/peer/uploads/${at.upload}` } as const;
  await connection.ask({ ...request, signal }).catch(() => {});
}

/** @throws HoldfastError replica-refused for what is no such answer */
export function parseUploadAnswer(body: Uint8Array, bytes: number): UploadAnswer {
  try {
    const { upload, offset, done } = asObject(parseJson(body, "the peer's answer"), "the peer's answer");
    if (typeof upload === "string" && /^[0-9a-f]{32}$/.test(upload) && typeof done === "boolean") {
      const counted = asInteger(offset, "offset of an upload", 0, bytes);
      if (done || counted < bytes) return { upload, offset: counted, done };
    }
  } catch (cause) {
    throw new HoldfastError(ErrorCode.replicaRefused, "the peer's answer about an upload is none", { cause });
  }
  throw new HoldfastError(ErrorCode.replicaRefused, "the peer's answer about an upload is none");
}
