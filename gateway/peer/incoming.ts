// Bytes that arrive for an object, into a file that nobody knows yet.
//
// What is acknowledged is hashed from its file, after the file was synced, in one way for objects that come in one piece and for those that
// come in parts, perhaps over days and restarts. So the hash covers what the disk was given, and not only what came over the wire. (The
// bytes mostly come from the page cache: what the medium loses later is found by challenges, receipts do not look for that.)

import { createHash, createHmac, type Hash, type Hmac } from "node:crypto";
import { constants } from "node:fs";
import type { Readable } from "node:stream";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import {
  closeDescriptor,
  fdatasync,
  fileError,
  openDescriptor,
  readFully,
  writeFully,
} from "../store/files.ts";

/** Small pieces are gathered up to this size; memory of a body that arrives. */
const gatherBytes = 1 << 20;

/** What came of a body, and why no more did. */
export type Taken = { readonly bytes: number; readonly failure: unknown };

/**
 * Writes a body into a file from `offset` on, and syncs it: what is counted as taken is on disk even when the connection broke.
 * @throws HoldfastError disk-full, io-error, limit-exceeded for more than `bytesMax`; a broken body is answered, not thrown
 */
export async function takeBody(
  path: string,
  body: Readable,
  place: { readonly offset: number; readonly bytesMax: number },
): Promise<Taken> {
  let pieces: Buffer[] = [];
  let gathered = 0;
  let taken = 0;
  let failure: unknown;
  try {
    const fd = await openDescriptor(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
    const flush = async (): Promise<void> => {
      await writeFully(fd, pieces, place.offset + taken);
      taken += gathered;
      pieces = [];
      gathered = 0;
    };
    try {
      const arriving = body.iterator({ destroyOnReturn: false });
      try {
        for (;;) {
          const next = await arriving.next().catch((error: unknown) => {
            failure = error;
            return { done: true as const, value: undefined };
          });
          if (next.done === true) break;
          const piece = next.value as Buffer;
          if (taken + gathered + piece.length > place.bytesMax) {
            throw new HoldfastError(ErrorCode.limitExceeded, "the body is longer than was declared");
          }
          pieces.push(piece);
          gathered += piece.length;
          if (gathered >= gatherBytes) await flush();
        }
      } finally {
        await arriving.return?.();
      }
      await flush();
      await fdatasync(fd);
    } finally {
      await closeDescriptor(fd);
    }
  } catch (error) {
    throw fileError(error, path);
  }
  return { bytes: taken, failure };
}

/** SHA-256 of a file, hex, and its length. @throws HoldfastError io-error */
export async function hashFile(path: string): Promise<{ readonly sha256: string; readonly bytes: number }> {
  const hash = createHash("sha256");
  const bytes = await feed(path, hash);
  return { sha256: hash.digest("hex"), bytes };
}

/** HMAC-SHA-256 of a file, hex. @throws HoldfastError io-error */
export async function hmacFile(path: string, key: Uint8Array, signal: AbortSignal): Promise<string> {
  const hmac = createHmac("sha256", key);
  await feed(path, hmac, signal);
  return hmac.digest("hex");
}

async function feed(path: string, into: Hash | Hmac, signal?: AbortSignal): Promise<number> {
  try {
    const fd = await openDescriptor(path, constants.O_RDONLY);
    try {
      const buffer = Buffer.allocUnsafe(gatherBytes);
      for (let at = 0; ; ) {
        if (signal?.aborted) throw new HoldfastError(ErrorCode.cancelled, "the client went away");
        const length = await readFully(fd, buffer, at);
        into.update(buffer.subarray(0, length));
        at += length;
        if (length < buffer.length) return at;
      }
    } finally {
      await closeDescriptor(fd);
    }
  } catch (error) {
    throw fileError(error, path);
  }
}
