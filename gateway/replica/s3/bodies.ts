// The bytes of a source on their way: read slice by slice, hashed before they are sent, so that memory does not grow with objects.

import { createHash, type Hash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { equalBytes, giveBack } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { ObjectSource, PutOptions } from "../replicaStore.ts";
import { cancelled } from "./attempts.ts";

const sliceBytes = 1 << 20;
/** What goes at a pace goes by these. */
const pacedBytes = 64 << 10;

/** A run of a source with its hashes, ready to be sent any number of times. */
export type Body = {
  readonly bytes: number;
  readonly md5: Buffer;
  readonly sha256: Buffer;
  slices(): AsyncIterable<Uint8Array>;
};

/** The source failed, not the store: carries its error past all retries. */
export class SourceFailure extends Error {
  override readonly name = "SourceFailure";
}

/**
 * Reads a run of a source once for its hashes. `whole`: a hash of the whole object that goes on with these bytes.
 * @throws SourceFailure; HoldfastError cancelled
 */
export async function bodyOf(
  source: ObjectSource,
  offset: number,
  bytes: number,
  { signal, throttle, whole }: PutOptions & { readonly whole?: Hash },
): Promise<Body> {
  const [md5, sha256] = [createHash("md5"), createHash("sha256")];
  let only: Uint8Array | undefined;
  for (let at = 0; at < bytes; at += sliceBytes) {
    const slice = await readSlice(source, offset + at, Math.min(sliceBytes, bytes - at));
    if (signal?.aborted) throw cancelled(signal.reason);
    md5.update(slice);
    sha256.update(slice);
    whole?.update(slice);
    if (bytes <= sliceBytes) only = slice;
    else await turn(); // hashing is work: others get their turn
  }
  async function* slices() {
    for (let at = 0; at < bytes; at += sliceBytes) {
      const length = Math.min(sliceBytes, bytes - at);
      const slice = only ?? (await readSlice(source, offset + at, length));
      yield* paced(slice, throttle);
    }
  }
  return { bytes, md5: md5.digest(), sha256: sha256.digest(), slices };
}

/** A run that is read once, while it is sent; its MD5 is known when all went, where it was wanted. */
export type StreamedBody = Pick<Body, "bytes" | "sha256" | "slices"> & {
  readonly sentMd5: () => Buffer | undefined;
};

/** All of a source that checks its own bytes: they need not be read before they are sent. */
export function streamedBody(
  source: ObjectSource,
  { throttle }: PutOptions,
  wantsMd5: boolean,
): StreamedBody {
  let sent: Buffer | undefined;
  async function* slices() {
    const md5 = wantsMd5 ? createHash("md5") : undefined;
    for (let at = 0; at < source.bytes; at += sliceBytes) {
      const slice = await readSlice(source, at, Math.min(sliceBytes, source.bytes - at));
      md5?.update(slice);
      yield* paced(slice, throttle);
      giveBack(slice); // it went
    }
    sent = md5?.digest();
  }
  return { bytes: source.bytes, sha256: Buffer.from(source.sha256), slices, sentMd5: () => sent };
}

/** A slice in pieces by which a rate can be held. */
async function* paced(slice: Uint8Array, throttle: PutOptions["throttle"]): AsyncIterable<Uint8Array> {
  if (throttle === undefined) {
    yield slice;
    return;
  }
  for (let at = 0; at < slice.length; at += pacedBytes) {
    const piece = slice.subarray(at, at + pacedBytes);
    await throttle(piece.length);
    yield piece;
  }
}

/** A body of bytes at hand. */
export function bodyOfBytes(bytes: Uint8Array): Body {
  const hash = (name: string) => createHash(name).update(bytes).digest();
  async function* slices() {
    yield bytes;
  }
  return { bytes: bytes.length, md5: hash("md5"), sha256: hash("sha256"), slices };
}

async function readSlice(source: ObjectSource, offset: number, length: number): Promise<Uint8Array> {
  try {
    const slice = await source.read(offset, length);
    if (slice.length !== length) throw wrongBytes("it is shorter than it says");
    return slice;
  } catch (error) {
    throw new SourceFailure("the source of an object failed", { cause: error });
  }
}

/** @throws SourceFailure (corrupt) unless the hash of all bytes is the source's */
export function checkHash(source: ObjectSource, sha256: Uint8Array): void {
  if (equalBytes(source.sha256, sha256)) return;
  throw new SourceFailure("the source of an object failed", {
    cause: wrongBytes("its SHA-256 is another"),
  });
}

function wrongBytes(why: string): HoldfastError {
  return new HoldfastError(
    ErrorCode.corrupt,
    `an object that was to be stored is not what it should be: ${why}`,
  );
}
