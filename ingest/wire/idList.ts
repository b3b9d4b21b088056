// Lists of 32-byte ids, as `have`, `exists` and `read` send them: ids one after the other, nothing between.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { Width } from "../../vault/magic.ts";

/** Ids as one byte string. */
export function encodeIds(ids: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.allocUnsafe(ids.length * Width.id);
  for (let i = 0; i < ids.length; i++) bytes.set(ids[i]!, i * Width.id);
  return bytes;
}

/**
 * The number of ids in a body.
 * @throws HoldfastError corrupt for a broken length; limit-exceeded for more than `countMax`
 */
export function idCount(bytes: Uint8Array, countMax: number): number {
  if (bytes.length % Width.id !== 0) {
    throw new HoldfastError(
      ErrorCode.corrupt,
      `a list of ids has ${bytes.length} bytes, not a multiple of 32`,
    );
  }
  const count = bytes.length / Width.id;
  if (count > countMax) {
    throw new HoldfastError(ErrorCode.limitExceeded, `${count} ids in one request, at most ${countMax}`);
  }
  return count;
}

/** Id number `i` as a view. */
export function idAt(bytes: Buffer, i: number): Buffer {
  return bytes.subarray(i * Width.id, (i + 1) * Width.id);
}

/** The body of `read` and `exists`: a group, then ids. */
export function encodeGroupIds(group: number, ids: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.allocUnsafe(4 + ids.length * Width.id);
  bytes.writeUInt32LE(group, 0);
  for (let i = 0; i < ids.length; i++) bytes.set(ids[i]!, 4 + i * Width.id);
  return bytes;
}

/**
 * Parses the body of `read` and `exists`; `ids` is a view.
 * @throws HoldfastError truncated, corrupt, limit-exceeded
 */
export function parseGroupIds(
  bytes: Buffer,
  countMax: number,
): { group: number; ids: Buffer; count: number } {
  if (bytes.length < 4) throw new HoldfastError(ErrorCode.truncated, "a list of ids without its group");
  const ids = bytes.subarray(4);
  return { group: bytes.readUInt32LE(0), ids, count: idCount(ids, countMax) };
}
