// The keyed Merkle hash of a file (docs/format.md, section 6.3), by recursion as RFC 6962 writes it.
import { u64 } from "./cursor.ts";
import { hmacSha256 } from "./primitives.ts";

const blockLength = 1024 * 1024;
const zero = new Uint8Array(32);

/** Something that has bytes at offsets, and may know of ranges that they are zeros. */
export type Content = {
  readonly size: number;
  read(offset: number, length: number): Uint8Array;
  isHole(from: number, to: number): boolean;
};

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/** The hash of a file; null for an empty one. */
export function fileHash(key: Uint8Array, content: Content): Uint8Array | null {
  const { size } = content;
  if (size === 0) return null;
  if (size <= blockLength) return hmacSha256(key, Uint8Array.of(3), content.read(0, size));

  /** The root over blocks from..to. Zeros hash to zeros, so a hole needs no look. */
  const root = (from: number, to: number): Uint8Array => {
    const start = from * blockLength;
    const end = Math.min(to * blockLength, size);
    if (content.isHole(start, end)) return zero;
    const n = to - from;
    if (n === 1) {
      const block = content.read(start, end - start);
      return isZero(block) ? zero : hmacSha256(key, Uint8Array.of(0), block);
    }
    let half = 1;
    while (half * 2 < n) half *= 2;
    const left = root(from, from + half);
    const right = root(from + half, to);
    if (isZero(left) && isZero(right)) return zero;
    return hmacSha256(key, Uint8Array.of(1), left, right);
  };
  return hmacSha256(key, Uint8Array.of(2), u64(size), root(0, Math.ceil(size / blockLength)));
}
