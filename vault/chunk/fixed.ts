// Chunkers "fixed-1" and "fixed-2": cuts at multiples of one length of the file offset, for files edited in place.

/**
 * End in the buffer of the chunk of `chunkBytes` that starts at `start`. `fileOffset` is the file offset of `start`; the caller
 * guarantees that `chunkBytes` lie before `end` or that `end` is the end of the data.
 */
export function nextFixedCut(chunkBytes: number, fileOffset: number, start: number, end: number): number {
  return Math.min(end, start + chunkBytes - (fileOffset % chunkBytes));
}
