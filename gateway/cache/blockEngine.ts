// What the machine can do for blocks of the cache.

import { crc32 } from "node:zlib";

export type BlockEngine = {
  /** Names the checksum: an entry whose checksums are of another kind is an empty place. */
  readonly kind: number;
  /** 32 bits, for damage and not against anybody: what a block holds is proven by its records. */
  readonly checksum: (bytes: Uint8Array) => number;
  /** Where memory begins. Without it everything is written through the page cache. */
  readonly addressOf: ((bytes: Uint8Array) => number) | undefined;
};

/** What is everywhere. */
export const nodeBlockEngine: BlockEngine = {
  kind: 0,
  checksum: (bytes) => crc32(bytes),
  addressOf: undefined,
};

/** Memory, places and lengths of what is written past the page cache are multiples of this: of sectors and of blocks of any disk. */
export const directBytes = 4096;
