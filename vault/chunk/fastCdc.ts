// Chunker "fastcdc-1" (docs/format.md 6.1): keyed gear hash, nothing hashed below the minimum, a strict test up to
// the normal length and a loose one after it.
//
// The loop is unrolled by eight: V8 keeps `hash` in a register and one step is load, load, shift-add, test. The top
// bits are tested by a mask, so that the hash may stay a signed 32-bit number.
import { limits } from "../limits.ts";

/** Top 22 bits: about one in 4 Mi positions below the normal length. */
const strictMask = 0xffff_fc00 | 0;
/** Top 18 bits: about one in 256 Ki positions above it. */
const looseMask = 0xffff_c000 | 0;

/** A 32-bit gear hash has forgotten everything before the last 32 bytes. */
const memoryBytes = 32;

/** First position after a byte in from..to where the hash, `seed` before `from`, is zero under `mask`; or -1. */
function scan(
  bytes: Uint8Array,
  from: number,
  to: number,
  seed: number,
  mask: number,
  gear: Uint32Array,
): number {
  let hash = seed;
  let i = from;
  for (const fast = to - 7; i < fast; i += 8) {
    hash = ((hash << 1) + gear[bytes[i]!]!) | 0;
    if ((hash & mask) === 0) return i + 1;
    hash = ((hash << 1) + gear[bytes[i + 1]!]!) | 0;
    if ((hash & mask) === 0) return i + 2;
    hash = ((hash << 1) + gear[bytes[i + 2]!]!) | 0;
    if ((hash & mask) === 0) return i + 3;
    hash = ((hash << 1) + gear[bytes[i + 3]!]!) | 0;
    if ((hash & mask) === 0) return i + 4;
    hash = ((hash << 1) + gear[bytes[i + 4]!]!) | 0;
    if ((hash & mask) === 0) return i + 5;
    hash = ((hash << 1) + gear[bytes[i + 5]!]!) | 0;
    if ((hash & mask) === 0) return i + 6;
    hash = ((hash << 1) + gear[bytes[i + 6]!]!) | 0;
    if ((hash & mask) === 0) return i + 7;
    hash = ((hash << 1) + gear[bytes[i + 7]!]!) | 0;
    if ((hash & mask) === 0) return i + 8;
  }
  for (; i < to; i++) {
    hash = ((hash << 1) + gear[bytes[i]!]!) | 0;
    if ((hash & mask) === 0) return i + 1;
  }
  return -1;
}

/** The hash after `at`, of a scan that began 32 bytes or more before. */
function hashAt(bytes: Uint8Array, at: number, gear: Uint32Array): number {
  let hash = 0;
  for (let i = at - memoryBytes; i < at; i++) hash = ((hash << 1) + gear[bytes[i]!]!) | 0;
  return hash;
}

/**
 * End in `bytes` of the chunk that starts at `start`. The caller guarantees that `end - start` is at least 4 MiB or
 * that `end` is the end of the data, so that every window gives the cuts of the whole.
 */
export function nextCut(bytes: Uint8Array, start: number, end: number, gear: Uint32Array): number {
  const last = Math.min(end, start + limits.chunkBytesMax);
  const min = start + limits.chunkBytesMin;
  if (last <= min) return last;
  const normal = Math.min(last, start + limits.chunkBytesNormal);
  const strict = scan(bytes, min, normal, 0, strictMask, gear);
  if (strict >= 0) return strict;
  if (normal === last) return last;
  const loose = scan(bytes, normal, last, hashAt(bytes, normal, gear), looseMask, gear);
  return loose >= 0 ? loose : last;
}
