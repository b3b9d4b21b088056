// The answer of `have` and `exists`: bit i, least significant first, answers for id i.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

/** A bitmap of `count` bits, all 0. */
export function createBitmap(count: number): Buffer {
  return Buffer.alloc(Math.ceil(count / 8));
}

export function setBit(bitmap: Buffer, i: number): void {
  bitmap[i >>> 3]! |= 1 << (i & 7);
}

/** The bitmap of these answers. */
export function bitmapOf(answers: readonly boolean[]): Buffer {
  const bitmap = createBitmap(answers.length);
  for (const [i, yes] of answers.entries()) if (yes) setBit(bitmap, i);
  return bitmap;
}

export function bitAt(bitmap: Buffer, i: number): boolean {
  return (bitmap[i >>> 3]! & (1 << (i & 7))) !== 0;
}

/**
 * Checks an answer for `count` ids and returns it.
 * @throws HoldfastError protocol when the length is wrong or bits beyond the last id are set
 */
export function parseBitmap(bytes: Buffer, count: number): Buffer {
  if (bytes.length !== Math.ceil(count / 8)) {
    throw new HoldfastError(ErrorCode.protocol, `a bitmap of ${bytes.length} bytes answers ${count} ids`);
  }
  if (count % 8 !== 0 && bytes[bytes.length - 1]! >>> (count % 8) !== 0) {
    throw new HoldfastError(ErrorCode.protocol, "a bitmap has bits beyond its last id");
  }
  return bytes;
}
