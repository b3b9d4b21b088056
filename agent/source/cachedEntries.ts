// Reads the entries of a page cache's file (pageCache.ts has its layout).
//
// Stateful: blocks of the file as they were when they were read, so who changes bytes that stood in it before makes a new one of these. What is read
// is good until the next is asked for.

import { readSync } from "node:fs";
import { limits } from "../../vault/limits.ts";

/** The length, the id and the count of references. */
export const entryHeaderBytes = 4 + 32 + 4;
/** Without its length. */
export const entryBytesMax = 32 + 4 + limits.refsPerRecordMax * 32 + limits.pageBytesMax;

/** The file is read by blocks, of which some stay: a walk asks for pages that stand near each other. */
const blockBytes = 128 * 1024;
const blocksMax = 8;
/** What is read at first of an entry that goes on in the next block; most are shorter. */
const firstReadBytes = 24 * 1024;

export class CachedEntries {
  readonly #fd: number;
  /** Each at its number modulo `blocksMax`. */
  readonly #blocks: ({ readonly number: number; readonly bytes: Buffer } | undefined)[] = [];
  readonly #memory = Buffer.allocUnsafeSlow(blocksMax * blockBytes);
  readonly #scratch = Buffer.allocUnsafe(4 + entryBytesMax);

  constructor(fd: number) {
    this.#fd = fd;
  }

  /**
   * Finds all entries of a file of `size` bytes from `start` on; gives where the last whole one ends. Before anything else is read.
   * `found`: the entry at `offset` has its id at `at` of `bytes`.
   */
  scan(start: number, size: number, found: (bytes: Buffer, at: number, offset: number) => void): number {
    const piece = this.#memory;
    let pieceStart = start;
    let filled = 0;
    for (let at = start; ; ) {
      if (at + 36 > pieceStart + filled) {
        pieceStart = at;
        filled = readSync(this.#fd, piece, 0, piece.length, pieceStart);
        if (filled < 36) return at;
      }
      const length = piece.readUInt32LE(at - pieceStart);
      if (length < 36 || length > entryBytesMax || at + 4 + length > size) return at;
      found(piece, at - pieceStart + 4, at);
      at += 4 + length;
    }
  }

  /** The bytes of the entry at an offset; undefined where there is no whole one, or a disk cannot read it any more. */
  at(offset: number): Buffer | undefined {
    try {
      const block = this.#block(Math.floor(offset / blockBytes));
      const at = offset % blockBytes;
      const end = at + 4 <= block.length ? at + 4 + block.readUInt32LE(at) : block.length + 1;
      if (end > block.length) return this.#acrossBlocks(offset);
      return end < at + entryHeaderBytes ? undefined : block.subarray(at, end);
    } catch {
      return undefined;
    }
  }

  #block(number: number): Buffer {
    const place = number % blocksMax;
    const held = this.#blocks[place];
    if (held?.number === number) return held.bytes;
    const memory = this.#memory.subarray(place * blockBytes, (place + 1) * blockBytes);
    this.#blocks[place] = undefined;
    const bytes = memory.subarray(0, readSync(this.#fd, memory, 0, blockBytes, number * blockBytes));
    this.#blocks[place] = { number, bytes };
    return bytes;
  }

  /** Of an entry that goes on in the next block, or did not stand in the file when its block was read. */
  #acrossBlocks(offset: number): Buffer | undefined {
    const scratch = this.#scratch;
    let filled = readSync(this.#fd, scratch, 0, firstReadBytes, offset);
    if (filled < entryHeaderBytes) return undefined;
    const length = 4 + scratch.readUInt32LE(0);
    if (length < entryHeaderBytes || length > scratch.length) return undefined;
    while (filled < length) {
      const more = readSync(this.#fd, scratch, filled, length - filled, offset + filled);
      if (more === 0) return undefined;
      filled += more;
    }
    return scratch.subarray(0, length);
  }
}
