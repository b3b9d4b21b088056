// Chunker "fixed-1": cuts at multiples of 1 MiB of the file offset, for disk images edited in place.
import { limits } from "../limits.ts";

/**
 * End in the buffer of the chunk that starts at `start`. `fileOffset` is the file offset of `start`; the caller
 * guarantees that 1 MiB lies before `end` or that `end` is the end of the data.
 */
export function nextFixedCut(fileOffset: number, start: number, end: number): number {
  return Math.min(end, start + limits.fixedChunkBytes - (fileOffset % limits.fixedChunkBytes));
}
