// Chunker "fastcdc-1" (docs/format.md 6.1): keyed gear hash, nothing hashed below the minimum, a strict test up to
// the normal length and a loose one after it.
import { limits } from "../limits.ts";
import { gearScan } from "./gearScan.ts";

/** Top 22 bits: about one in 4 Mi positions below the normal length. */
const strictMask = 0xffff_fc00;
/** Top 18 bits: about one in 256 Ki positions above it. */
const looseMask = 0xffff_c000;

/**
 * End in `bytes` of the chunk that starts at `start`. The caller guarantees that `end - start` is at least 4 MiB or
 * that `end` is the end of the data, so that every window gives the cuts of the whole.
 */
export function nextCut(bytes: Uint8Array, start: number, end: number, gear: Uint32Array): number {
  const last = Math.min(end, start + limits.chunkBytesMax);
  const min = start + limits.chunkBytesMin;
  if (last <= min) return last;
  const normal = Math.min(last, start + limits.chunkBytesNormal);
  const strict = gearScan(bytes, min, min, normal, strictMask, gear);
  if (strict >= 0) return strict;
  const loose = gearScan(bytes, min, normal, last, looseMask, gear);
  return loose >= 0 ? loose : last;
}
