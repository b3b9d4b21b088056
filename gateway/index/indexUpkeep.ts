// Work on all of the chunk index, as garbage collection does it: rows as they lie, in the order of the index.

import { RecordType } from "../../vault/magic.ts";
import { Bucket, type BucketStore, type ScanCursor } from "./buckets.ts";
import type { IndexEnvironment } from "./environment.ts";
import type { IndexCounters } from "./indexCounters.ts";
import type { PromisedRows } from "./promisedRows.ts";
import type { RefTable } from "./refTable.ts";
import { packedFlags, packedOrdinal, packedType, rowFlags, rowWords } from "./row.ts";

type Parts = {
  readonly environment: IndexEnvironment;
  readonly buckets: BucketStore;
  readonly refs: RefTable;
  readonly promised: PromisedRows;
  readonly counters: IndexCounters;
};

export class IndexUpkeep {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Visits records that have references and an ordinal from `first` on, below `end`, the highest first, with each reference. See RefTable.visitDown.
   */
  visitRefsDown(first: number, end: number, visit: (ordinal: number, encoded: Uint8Array) => void): void {
    this.#parts.refs.visitDown(first, end, visit);
  }

  /** Whether there is no row of a group, live or not. */
  isEmpty(group: number): boolean {
    const first = new Bucket();
    this.#parts.buckets.load(group, 0, first);
    return first.depth === 0 && first.count === 0;
  }

  /** References of a record, as ordinals in their order. */
  refsOf(ordinal: number): number[] {
    return this.#parts.refs.get(ordinal);
  }

  /** The highest ordinal of a record that has references, or undefined. */
  highestWithRefs(): number | undefined {
    return this.#parts.refs.highest();
  }

  /** As ChunkIndex.scan, with the packed rows as they lie (row.ts), which is far cheaper for a look at all of them. */
  scanPacked(
    cursor: ScanCursor | undefined,
    bucketsMax: number,
    visit: (words: Uint32Array, at: number) => void,
  ): ScanCursor | undefined {
    return this.#parts.buckets.scan(cursor, bucketsMax, (bucket) => {
      for (let n = 0; n < bucket.count; n++) visit(bucket.words, bucket.rowAt(n));
    });
  }

  /**
   * Removes the rows of a dead set in some `bucketsMax` buckets from `cursor` on, with all that stands beside them, and visits those that stay.
   * Inside a write transaction only. The overlay is not consulted: flush it first.
   */
  sweep(
    dead: { has(ordinal: number): boolean } | undefined,
    cursor: ScanCursor | undefined,
    bucketsMax: number,
    visitLeft: (words: Uint32Array, at: number) => void,
  ): { readonly next: ScanCursor | undefined; readonly removed: number } {
    this.#parts.environment.assertWriting("IndexUpkeep.sweep");
    let removed = 0;
    const next = this.#parts.buckets.scan(cursor, bucketsMax, (bucket) => {
      const { words } = bucket;
      let left = 0;
      for (let n = 0; n < bucket.count; n++) {
        const at = bucket.rowAt(n);
        if (dead?.has(packedOrdinal(words, at))) {
          // A data record has no references, and most are such.
          if (packedType(words, at) !== RecordType.data) this.forgetBeside(words, at);
          continue;
        }
        visitLeft(words, at);
        if (left < n) words.copyWithin(bucket.rowAt(left), at, at + rowWords);
        left++;
      }
      if (left === bucket.count) return;
      removed += bucket.count - left;
      bucket.count = left;
      this.#parts.buckets.save(bucket);
    });
    if (removed > 0) {
      this.#parts.counters.rows -= removed;
      this.#parts.counters.save();
    }
    return { next, removed };
  }

  /** Inside a write transaction: removes what stands in other tables for the row at word `at`. */
  forgetBeside(words: Uint32Array, at: number): void {
    const ordinal = packedOrdinal(words, at);
    this.#parts.refs.remove(ordinal);
    if (packedFlags(words, at) & rowFlags.promised) this.#parts.promised.remove(ordinal);
  }
}
