// The chunkers by their names, and which one cuts a file (docs/format.md 6.1).
import { limits } from "../limits.ts";
import { isDiskImage } from "./diskImage.ts";

/** What a backup may be told to cut by. "auto-1" is a rule: fixed-2 for disk images, fastcdc-1 for all else. */
export const chunkers = ["auto-1", "fastcdc-1", "fixed-1", "fixed-2"] as const;
export type Chunker = (typeof chunkers)[number];

/** Chunk length by which a file is cut at multiples of its offset; undefined: by its content (fastcdc-1). */
export function fixedChunkBytes(chunker: Chunker, name: Uint8Array, size: number): number | undefined {
  switch (chunker) {
    case "fastcdc-1":
      return undefined;
    case "fixed-1":
      return limits.fixedChunkBytes;
    case "fixed-2":
      return limits.imageChunkBytes;
    case "auto-1":
      return isDiskImage(name, size) ? limits.imageChunkBytes : undefined;
  }
}
