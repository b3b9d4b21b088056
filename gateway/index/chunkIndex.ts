// The chunk index of one vault: (group, chunk id) -> where the record is. Rows live in packed buckets (buckets.ts)
// that are found by a keyed hash of the id's first 16 bytes (row.ts says why that is enough).
// docs/decisions/0003-chunk-index.md has the measurements behind this form.
//
// Invariants
// - At most one row for an id in a group. A live row is never replaced by insertion: the first writer wins.
// - A row that is flagged `needed` or `promised` is replaced by the next good copy and keeps its ordinal, because parents name it. A
//   promised row takes no other's place, but for a dead one's.
// - A row whose ordinal is in the dead set answers as absent, and is replaced by a row with a new ordinal.
// - In LMDB, a row with references is never without the rows it refers to (whoever inserts keeps children first).

import { randomBytes } from "node:crypto";
import { Bucket, BucketStore, bucketRowsMax, OwnedBucket, type ScanCursor } from "./buckets.ts";
import type { IndexEnvironment, RawDatabase } from "./environment.ts";
import { IdHash } from "./idHash.ts";
import { IndexCounters } from "./indexCounters.ts";
import { IndexUpkeep } from "./indexUpkeep.ts";
import { PackedRows, packedRowAt, packedRowsMax, SortedRows } from "./packedRows.ts";
import { PromisedRows } from "./promisedRows.ts";
import { RefTable } from "./refTable.ts";
import {
  type ChunkInsert,
  type ChunkRow,
  type CopyPlace,
  chunkIdBytes,
  packedFlags,
  packedIdPrefix,
  packedOrdinal,
  packId,
  packRow,
  type RowChange,
  rowFlags,
  rowWords,
  unpackRow,
} from "./row.ts";

/** Records that garbage collection has declared dead and not yet swept. */
type DeadSet = { has(ordinal: number): boolean };
type RowVisitor = (group: number, idPrefix: Uint8Array, row: ChunkRow) => void;

const notHere = rowFlags.needed | rowFlags.promised;
const hashKeyName = Buffer.from("hash-key");

export class ChunkIndex {
  readonly environment: IndexEnvironment;
  /** Read only: entries come and go with their rows. */
  readonly promised: PromisedRows;
  readonly #meta: RawDatabase;
  readonly #buckets: BucketStore;
  readonly #refs: RefTable;
  readonly #hash: IdHash;
  readonly #bucket = new Bucket();
  readonly #owned = new OwnedBucket();
  readonly #idWords = new Uint32Array(4);
  readonly #counters: IndexCounters;
  readonly upkeep: IndexUpkeep;
  /**
   * Rows in this set answer as absent; undefined: none do. Who sets it stores the set, flushes the overlay before it takes effect and again before
   * it ends, and ends it only after every row of it was swept: otherwise a row of the overlay could meet one that came back to life.
   */
  dead: DeadSet | undefined;

  constructor(environment: IndexEnvironment) {
    this.environment = environment;
    this.#meta = environment.openRaw("index-meta");
    this.#buckets = new BucketStore(environment);
    this.#refs = new RefTable(environment);
    this.promised = new PromisedRows(environment);
    let key = this.#meta.getBinary(hashKeyName);
    if (key === undefined) {
      key = randomBytes(8);
      const fresh = key;
      environment.write(() => this.#meta.putSync(hashKeyName, fresh));
    }
    this.#hash = new IdHash(key);
    this.#counters = new IndexCounters(environment, this.#meta);
    this.upkeep = new IndexUpkeep({
      ...{ environment, buckets: this.#buckets, refs: this.#refs, promised: this.promised },
      counters: this.#counters,
    });
  }

  /** Number of rows, live or not. */
  count(): number {
    return this.#counters.rows;
  }

  /** A fresh ordinal. Stored with the next insertion; one that is lost in a crash before that was never on disk. */
  nextOrdinal(): number {
    return this.#counters.nextOrdinal();
  }

  /** Above all ordinals that were handed out; `stored`: above those that are on disk, behind which they go on after a crash. */
  get ordinals(): { readonly next: number; readonly stored: number } {
    return this.#counters;
  }

  /** The hash that places the id of a packed row (words at `at`). */
  hashOfWords(words: Uint32Array, at: number): number {
    return this.#hash.ofWords(words, at);
  }

  /** The hash that places an id (first 16 bytes at `at`). */
  hashOf(ids: Uint8Array, at = 0): number {
    packId(ids, at, this.#idWords, 0);
    return this.#hash.ofWords(this.#idWords, 0);
  }

  /** Sorts rows into the order that `insertSorted` takes. */
  sort(rows: PackedRows, numbers: Uint32Array): SortedRows {
    return new SortedRows(rows, numbers, this.#hash);
  }

  /** The row of an id, or undefined. A row flagged `needed` is returned: the caller answers "no" for it. */
  lookup(group: number, id: Uint8Array): ChunkRow | undefined {
    const bucket = this.#bucket;
    this.#buckets.load(group, this.hashOf(id), bucket);
    return this.#live(bucket, bucket.find(this.#idWords, 0));
  }

  /** As `lookup`, for n ids of 32 bytes one after the other; answers in their order. */
  lookupBatch(group: number, ids: Uint8Array): (ChunkRow | undefined)[] {
    const count = ids.length / chunkIdBytes;
    if (!Number.isInteger(count) || count > packedRowsMax)
      throw new Error("lookupBatch: n ids of 32 bytes each");
    const answers = new Array<ChunkRow | undefined>(count);
    // In hash order neighbours share buckets and pages; hash and position fit one double.
    const order = new Float64Array(count);
    for (let i = 0; i < count; i++) order[i] = this.hashOf(ids, i * chunkIdBytes) * packedRowsMax + i;
    order.sort();
    const bucket = this.#bucket;
    let loaded = false;
    for (const key of order) {
      const hash = Math.floor(key / packedRowsMax);
      const at = key % packedRowsMax;
      if (!loaded || hash >= bucket.end) this.#buckets.load(group, hash, bucket);
      loaded = true;
      packId(ids, at * chunkIdBytes, this.#idWords, 0);
      answers[at] = this.#live(bucket, bucket.find(this.#idWords, 0));
    }
    return answers;
  }

  /** References of a record, as ordinals in their order; empty where it has none. */
  refsOf(ordinal: number): number[] {
    return this.#refs.get(ordinal);
  }

  /**
   * Inserts rows in one transaction (or the one that is open); returns how many were new. Existing live rows stay as
   * they are. For every reference, the caller vouches that its record is in the index or in this batch.
   */
  insertBatch(inserts: readonly ChunkInsert[]): number {
    const rows = new PackedRows(inserts.length);
    for (const { group, id, row, refs } of inserts) rows.add(group, id, row, refs);
    const numbers = Uint32Array.from({ length: rows.count }, (_, number) => number);
    const sorted = this.sort(rows, numbers);
    return this.environment.write(() => this.insertSorted(sorted, 0).added);
  }

  /**
   * Inserts sorted rows from position `from` on, until `bucketsMax` buckets were touched; returns where it stopped and
   * how many rows were new. Inside a write transaction only.
   */
  insertSorted(sorted: SortedRows, from: number, bucketsMax = Infinity): { position: number; added: number } {
    this.environment.assertWriting("ChunkIndex.insertSorted");
    const { words } = sorted.rows;
    const bucket = this.#owned;
    let position = from;
    let added = 0;
    for (let touched = 0; position < sorted.length && touched < bucketsMax; touched++) {
      const group = words[sorted.wordAt(position)] as number;
      this.#buckets.loadOwned(group, sorted.hashAt(position), bucket);
      let full = false;
      let changed = false;
      for (; position < sorted.length; position++) {
        const at = sorted.wordAt(position);
        if (words[at] !== group || sorted.hashAt(position) >= bucket.end) break;
        const existing = bucket.find(words, at + packedRowAt);
        if (existing < 0 && bucket.count === bucketRowsMax) {
          full = true;
          break;
        }
        if (existing >= 0 && !this.#replaceable(bucket.words, existing, words, at + packedRowAt)) continue;
        if (existing < 0) this.#counters.rows++;
        // A dead row's references go with it; a needed row's are written again below, under the same ordinal.
        else this.upkeep.forgetBeside(bucket.words, existing);
        const target = existing < 0 ? bucket.rowAt(bucket.count++) : existing;
        for (let word = 0; word < rowWords; word++) {
          bucket.words[target + word] = words[at + packedRowAt + word] as number;
        }
        this.#putBeside(sorted.rows, at);
        changed = true;
        added++;
      }
      if (full) this.#buckets.split(bucket, this.#hash);
      else if (changed) this.#buckets.save(bucket);
    }
    this.#counters.save();
    return { position, added };
  }

  /** What stands in other tables for the row at word `at`. */
  #putBeside(rows: PackedRows, at: number): void {
    const { words } = rows;
    const ordinal = packedOrdinal(words, at + packedRowAt);
    if (packedFlags(words, at + packedRowAt) & rowFlags.promised) {
      const { pack: box } = unpackRow(words, at + packedRowAt);
      this.promised.put({ ordinal, group: words[at] as number, id: rows.promisedId(at), box });
      return;
    }
    const refs = rows.refsOf(at);
    if (refs !== undefined) this.#refs.putEncoded(ordinal, refs);
  }

  /**
   * Removes an id's row, and its references, if it still names this copy. Returns whether it did. Part of the open
   * write transaction, or one of its own. The overlay is not consulted: flush it first.
   */
  remove(group: number, id: Uint8Array, onlyIf: CopyPlace): boolean {
    return this.#change(group, id, onlyIf, (bucket, at) => {
      this.upkeep.forgetBeside(bucket.words, at);
      bucket.count--;
      const last = bucket.rowAt(bucket.count);
      bucket.words.copyWithin(at, last, last + rowWords);
      this.#counters.rows--;
      this.#counters.save();
    });
  }

  /** Changes an id's row if it still names this copy; otherwise as `remove`. */
  update(group: number, id: Uint8Array, onlyIf: CopyPlace, change: RowChange): boolean {
    return this.#change(group, id, onlyIf, (bucket, at) => {
      packRow({ ...unpackRow(bucket.words, at), ...change }, bucket.words, at);
    });
  }

  /** Inside a write transaction: what a record refers to, whose row was changed to another copy. */
  putRefs(ordinal: number, refs: readonly number[]): void {
    this.#refs.put(ordinal, refs);
  }

  /**
   * Visits rows (dead ones too) in index order from `cursor` (undefined: from the start), some `bucketsMax` buckets of
   * at most 101 rows; returns where to go on, or undefined at the end. The visitor must not touch the index.
   */
  scan(cursor: ScanCursor | undefined, bucketsMax: number, visit: RowVisitor): ScanCursor | undefined {
    return this.#buckets.scan(cursor, bucketsMax, (bucket) => {
      for (let n = 0; n < bucket.count; n++) {
        const at = bucket.rowAt(n);
        visit(bucket.group, packedIdPrefix(bucket.words, at), unpackRow(bucket.words, at));
      }
    });
  }

  /** Forgets all rows and references, for a rebuild from packs. Ordinals go on where they were. */
  clear(): void {
    this.environment.write(() => {
      this.#buckets.clear();
      this.#refs.clear();
      this.promised.clear();
      this.#counters.rows = 0;
      this.#counters.save();
    });
  }

  #live(bucket: Bucket, at: number): ChunkRow | undefined {
    if (at < 0) return undefined;
    const row = unpackRow(bucket.words, at);
    return this.dead?.has(row.ordinal) ? undefined : row;
  }

  #replaceable(rows: Uint32Array, existing: number, words: Uint32Array, candidate: number): boolean {
    if (this.dead?.has(packedOrdinal(rows, existing))) return true;
    if (!(packedFlags(rows, existing) & notHere) || packedFlags(words, candidate) & notHere) return false;
    if (packedOrdinal(rows, existing) !== packedOrdinal(words, candidate)) {
      throw new Error("chunk index: the copy for a needed or promised row must take over its ordinal");
    }
    return true;
  }

  #change(
    group: number,
    id: Uint8Array,
    onlyIf: CopyPlace,
    edit: (bucket: Bucket, at: number) => void,
  ): boolean {
    return this.environment.write(() => {
      const bucket = this.#owned;
      this.#buckets.loadOwned(group, this.hashOf(id), bucket);
      const at = bucket.find(this.#idWords, 0);
      if (at < 0) return false;
      const row = unpackRow(bucket.words, at);
      if (row.pack !== onlyIf.pack || row.offset !== onlyIf.offset) return false;
      edit(bucket, at);
      this.#buckets.save(bucket);
      return true;
    });
  }
}
