// Small files whose whole content is in memory, in the way of a reader that goes from file to file. A front-end may take them, and so
// bring their content to the reader before it is asked for.

import type { CachedRecord } from "./plaintextCache.ts";
import type { RowDirectory } from "./rows.ts";

/** Bytes of an opened record. Whoever keeps the record beyond the turn in which it comes pins it. */
export type ReadyPiece = { readonly record: CachedRecord; readonly start: number; readonly length: number };

export type ReadyFile = {
  /** RowDirectory.tree of the directory. */
  readonly tree: object;
  /** The directory, by the id of its root page, one character per byte. */
  readonly directory: string;
  readonly row: number;
  /** Its content, one behind the other: all of it, and not empty. */
  readonly pieces: readonly ReadyPiece[];
  readonly size: number;
};

/** What a front-end that takes files talks to. */
export interface ReadyFiles {
  /** Offers files of any snapshot from now on, each when it is in memory. Returns a stop function. */
  offerTo(take: FileTaker): () => void;
  /** Files in this directory are of use from now on. */
  listed(directory: RowDirectory): void;
}

/** Returns false while it has no use for the file, but may have soon: when the reader comes to list its directory. */
export type FileTaker = (file: ReadyFile) => boolean;
