// The buckets of the chunk index in LMDB. A bucket is one value: two header words (version 8 | depth 8 | count 16,
// and the group), then packed rows in no order. At most 101 rows, so that a value never takes more than one LMDB
// overflow page of 4 KiB; while it has 50 rows or fewer it shares a leaf page.
//
// Invariants: bucketDirectory.ts. A bucket is never removed, even when empty, since its key is what says depths.

import { BucketDirectory, bucketSpan, bucketStart } from "./bucketDirectory.ts";
import type { IndexEnvironment, RawDatabase } from "./environment.ts";
import type { IdHash } from "./idHash.ts";
import { rowWords } from "./row.ts";

const headerWords = 2;
const layoutVersion = 1;
/** (4096 - 16 of LMDB's overflow page header - 8) / 40 */
export const bucketRowsMax = 101;
/** Words of a full bucket. */
export const bucketWords = headerWords + bucketRowsMax * rowWords;
const keyBytes = 8;

/** Position of a scan: stays right while rows are inserted and buckets split. */
export type ScanCursor = { readonly group: number; readonly hash: number };

/** One bucket's rows in memory. The words belong to the reader and hold until its next `load`. */
export class Bucket {
  words: Uint32Array = new Uint32Array(0);
  group = 0;
  start = 0;
  depth = 0;
  count = 0;

  /** First word of the row whose id prefix these words are, or -1. */
  find(source: Uint32Array, at: number): number {
    const { words } = this;
    const id0 = source[at] as number;
    const id1 = source[at + 1] as number;
    const id2 = source[at + 2] as number;
    const id3 = source[at + 3] as number;
    const end = headerWords + this.count * rowWords;
    for (let row = headerWords; row < end; row += rowWords) {
      if (words[row] === id0 && words[row + 1] === id1 && words[row + 2] === id2 && words[row + 3] === id3)
        return row;
    }
    return -1;
  }

  /** First word of the n-th row. */
  rowAt(n: number): number {
    return headerWords + n * rowWords;
  }

  get end(): number {
    return this.start + bucketSpan(this.depth);
  }
}

/** A bucket with memory of its own, from which it can be written back. */
export class OwnedBucket extends Bucket {
  readonly own = new Uint32Array(bucketWords);
  readonly ownBytes = Buffer.from(this.own.buffer);
  override words: Uint32Array = this.own;
}

export class BucketStore {
  readonly #database: RawDatabase;
  readonly #directories = new Map<number, BucketDirectory>();
  readonly #key = Buffer.alloc(keyBytes);
  readonly #right = new OwnedBucket();
  #viewOf: ArrayBufferLike | undefined;
  #view: Uint32Array = new Uint32Array(0);

  constructor(environment: IndexEnvironment) {
    this.#database = environment.openRaw("index-chunks");
    environment.onAbort(() => this.#directories.clear());
  }

  /** Groups that have a bucket, ascending. */
  groups(): number[] {
    const groups: number[] = [];
    const start = Buffer.alloc(keyBytes);
    for (;;) {
      const [key] = [...this.#database.getKeys({ start, limit: 1 })];
      if (key === undefined) return groups;
      const group = Buffer.from(key).readUInt32BE(0);
      groups.push(group);
      if (group === 0xffffffff) return groups;
      start.writeUInt32BE(group + 1, 0);
    }
  }

  /** Reads the bucket that holds `hash` into `into`. Its words are lmdb-js's shared buffer: any read ends them. */
  load(group: number, hash: number, into: Bucket): void {
    into.group = group;
    into.depth = this.#directory(group).depthOf(hash);
    into.start = bucketStart(hash, into.depth);
    this.#setKey(group, into.start);
    const bytes = this.#database.getBinaryFast(this.#key);
    if (bytes === undefined) {
      if (into.depth !== 0) throw new Error("chunk index: a bucket is missing");
      into.count = 0;
      return;
    }
    if (bytes.buffer !== this.#viewOf) {
      this.#viewOf = bytes.buffer;
      this.#view = new Uint32Array(
        bytes.buffer,
        bytes.byteOffset,
        (bytes.buffer.byteLength - bytes.byteOffset) >>> 2,
      );
    }
    into.words = this.#view;
    const head = into.words[0] as number;
    into.count = head & 0xffff;
    const sizeExpected = (headerWords + into.count * rowWords) * 4;
    const headExpected = (layoutVersion << 24) | (into.depth << 16) | into.count;
    if (head !== headExpected || into.words[1] !== group || this.#database.lastSize !== sizeExpected) {
      throw new Error("chunk index: a bucket's header is wrong");
    }
  }

  /** As `load`, into the bucket's own words, which the caller may change. */
  loadOwned(group: number, hash: number, into: OwnedBucket): void {
    this.load(group, hash, into);
    if (into.count > 0) into.own.set(into.words.subarray(0, headerWords + into.count * rowWords));
    into.words = into.own;
  }

  /** Writes a changed bucket back. Inside a write transaction only. */
  save(bucket: OwnedBucket): void {
    bucket.words[0] = (layoutVersion << 24) | (bucket.depth << 16) | bucket.count;
    bucket.words[1] = bucket.group;
    this.#setKey(bucket.group, bucket.start);
    this.#database.putSync(
      this.#key,
      bucket.ownBytes.subarray(0, (headerWords + bucket.count * rowWords) * 4),
    );
  }

  /** Splits a bucket in two and writes both. `bucket` is spent. */
  split(bucket: OwnedBucket, hash: IdHash): void {
    const right = this.#right;
    const depth = bucket.depth + 1;
    this.#directory(bucket.group).split(bucket.start, depth);
    right.group = bucket.group;
    right.depth = depth;
    right.start = bucket.start + bucketSpan(depth);
    right.count = 0;
    const { words, count } = bucket;
    bucket.depth = depth;
    bucket.count = 0;
    for (let n = 0; n < count; n++) {
      const from = bucket.rowAt(n);
      const target = hash.ofWords(words, from) >= right.start ? right : bucket;
      target.words.set(words.subarray(from, from + rowWords), target.rowAt(target.count++));
    }
    this.save(bucket);
    this.save(right);
  }

  /** Visits buckets in key order from `cursor`, `bucketsMax` at most; returns where to go on, undefined at the end. */
  scan(
    cursor: ScanCursor | undefined,
    bucketsMax: number,
    visit: (bucket: OwnedBucket) => void,
  ): ScanCursor | undefined {
    const bucket = new OwnedBucket();
    let left = bucketsMax;
    for (const group of this.groups()) {
      if (cursor !== undefined && group < cursor.group) continue;
      let hash = group === cursor?.group ? cursor.hash : 0;
      while (hash < 2 ** 32) {
        if (left-- === 0) return { group, hash };
        this.loadOwned(group, hash, bucket);
        visit(bucket);
        hash = bucket.end;
      }
    }
    return undefined;
  }

  /** Forgets all buckets. Inside a write transaction only. */
  clear(): void {
    this.#database.clearSync();
    this.#directories.clear();
  }

  #directory(group: number): BucketDirectory {
    let directory = this.#directories.get(group);
    if (directory === undefined) {
      directory = BucketDirectory.fromStarts(this.#starts(group));
      this.#directories.set(group, directory);
    }
    return directory;
  }

  #starts(group: number): number[] {
    const start = Buffer.alloc(keyBytes);
    start.writeUInt32BE(group, 0);
    // One byte longer than any key of the group, so that its last bucket is inside.
    const end = Buffer.alloc(keyBytes + 1, 0xff);
    end.writeUInt32BE(group, 0);
    const starts: number[] = [];
    for (const key of this.#database.getKeys({ start, end })) starts.push(Buffer.from(key).readUInt32BE(4));
    return starts;
  }

  #setKey(group: number, start: number): void {
    const key = this.#key;
    key[0] = group >>> 24;
    key[1] = group >>> 16;
    key[2] = group >>> 8;
    key[3] = group;
    key[4] = start >>> 24;
    key[5] = start >>> 16;
    key[6] = start >>> 8;
    key[7] = start;
  }
}
