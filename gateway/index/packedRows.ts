// Rows on their way into the index, packed: twelve 32-bit words each, so that half a million of them are 24 MB of
// typed array and no JavaScript objects. Words: 0 group, 1..10 the packed row (row.ts), 11 the position of the row's
// encoded references in the arena plus one, or 0 for none. A promised row has the rest of its id there in place of references.

import type { IdHash } from "./idHash.ts";
import { encodeRefs, refsBytesBound } from "./refTable.ts";
import { type ChunkRow, chunkIdBytes, packedIdPrefix, packId, packRow } from "./row.ts";

export const packedRowWords = 12;
export const packedRowAt = 1;
const refsAt = 11;
/** What a packed row does not hold of an id. */
const idTailBytes = 16;
/** What a promised row takes in the arena. */
export const promisedArenaBytes = idTailBytes + 4;

/** A sort key holds hash and row number in one double: 32 + 21 bits. */
const rowNumberSpan = 2 ** 21;
export const packedRowsMax = rowNumberSpan;

/** Append-only list of packed rows with their encoded references; grows by doubling. */
export class PackedRows {
  words: Uint32Array;
  refsArena: Uint8Array;
  refsBytes = 0;
  count = 0;

  constructor(rowsExpected: number) {
    this.words = new Uint32Array(Math.max(1, rowsExpected) * packedRowWords);
    this.refsArena = new Uint8Array(0);
  }

  /** Rows that fit into the memory held now. */
  get capacity(): number {
    return Math.floor(this.words.length / packedRowWords);
  }

  /** Numbers of the rows, ascending, that have or have not references, as `wanted` says. */
  numbers(wanted: (hasRefs: boolean) => boolean): Uint32Array {
    const numbers = new Uint32Array(this.count);
    let filled = 0;
    for (let number = 0; number < this.count; number++) {
      if (wanted(this.words[number * packedRowWords + refsAt] !== 0)) numbers[filled++] = number;
    }
    return numbers.subarray(0, filled);
  }

  /** Appends a row. `refs` are the ordinals of the records that it refers to, in their order. */
  add(group: number, id: Uint8Array, row: ChunkRow, refs: readonly number[] | undefined): void {
    if (id.length !== chunkIdBytes) throw new Error("chunk index: ids are 32 bytes");
    const at = this.#append(group);
    packId(id, 0, this.words, at + packedRowAt);
    packRow(row, this.words, at + packedRowAt);
    if (refs === undefined || refs.length === 0) return;
    const start = this.#reserveRefs(refsBytesBound(refs.length));
    this.#bindRefs(at, encodeRefs(refs, this.refsArena, start));
  }

  /** Appends a row that is flagged `promised`: all of its id is kept. */
  addPromised(group: number, id: Uint8Array, row: ChunkRow): void {
    this.add(group, id, row, undefined);
    const start = this.#reserveRefs(idTailBytes);
    this.refsArena.set(id.subarray(chunkIdBytes - idTailBytes), start);
    this.#bindRefs((this.count - 1) * packedRowWords, start + idTailBytes);
  }

  /** All of the id of the promised row at word `at`. */
  promisedId(at: number): Buffer {
    return Buffer.concat([packedIdPrefix(this.words, at + packedRowAt), this.refsOf(at) as Uint8Array]);
  }

  /** Reserves the next row and returns its first word. */
  #append(group: number): number {
    if (this.count === packedRowsMax) throw new Error("PackedRows: too many rows for one batch");
    const at = this.count++ * packedRowWords;
    if (at + packedRowWords > this.words.length) {
      const wide = new Uint32Array(this.words.length * 2);
      wide.set(this.words);
      this.words = wide;
    }
    this.words[at] = group;
    this.words[at + refsAt] = 0;
    return at;
  }

  /** Room for `bytes` more at the end of the references; returns where to write. */
  #reserveRefs(bytes: number): number {
    const needed = this.refsBytes + bytes + 4;
    if (needed > this.refsArena.length) {
      const wide = new Uint8Array(Math.max(needed, this.refsArena.length * 2, 4096));
      wide.set(this.refsArena.subarray(0, this.refsBytes));
      this.refsArena = wide;
    }
    return this.refsBytes + 4;
  }

  /** Binds the references written from `#reserveRefs`'s position up to `end` to the row at word `at`. */
  #bindRefs(at: number, end: number): void {
    new DataView(this.refsArena.buffer).setUint32(this.refsBytes, end - this.refsBytes - 4, true);
    this.words[at + refsAt] = this.refsBytes + 1;
    this.refsBytes = end;
  }

  /** Encoded references of the row at word `at` (a view), or undefined. */
  refsOf(at: number): Uint8Array | undefined {
    const position = (this.words[at + refsAt] as number) - 1;
    if (position < 0) return undefined;
    const length = new DataView(this.refsArena.buffer).getUint32(position, true);
    return this.refsArena.subarray(position + 4, position + 4 + length);
  }

  /** Forgets the first `count` rows and their references; the others move to the front. */
  dropFirst(count: number): void {
    const kept = this.count - count;
    let refsStart = this.refsBytes;
    for (let row = count; row < this.count; row++) {
      const position = this.words[row * packedRowWords + refsAt] as number;
      if (position !== 0) {
        refsStart = position - 1;
        break;
      }
    }
    // References are appended in row order, so what the kept rows own is one run at the end.
    this.refsArena = this.refsArena.slice(refsStart, this.refsBytes);
    this.refsBytes -= refsStart;
    const words = this.words.subarray(count * packedRowWords, this.count * packedRowWords);
    // A busy list keeps its memory, since it is about to fill again; an idle one gives it back.
    if (this.count * packedRowWords * 2 > this.words.length) this.words.set(words);
    else this.words = words.length === 0 ? new Uint32Array(packedRowWords) : words.slice();
    this.count = kept;
    for (let at = refsAt; at < kept * packedRowWords; at += packedRowWords) {
      const position = this.words[at] as number;
      if (position !== 0) this.words[at] = position - refsStart;
    }
  }
}

/** Row numbers in the order of (group, hash), which is the order of the index's keys. */
export class SortedRows {
  readonly rows: PackedRows;
  readonly #keys: Float64Array;

  /** Sorts the rows with these numbers. */
  constructor(rows: PackedRows, numbers: Uint32Array, hash: IdHash) {
    this.rows = rows;
    const { words } = rows;
    const counts = new Map<number, number>();
    for (const number of numbers) {
      const group = words[number * packedRowWords] as number;
      counts.set(group, (counts.get(group) ?? 0) + 1);
    }
    const ends = new Map<number, number>();
    let start = 0;
    const groups = [...counts].sort(([a], [b]) => a - b);
    for (const [group, count] of groups) {
      ends.set(group, start);
      start += count;
    }
    this.#keys = new Float64Array(numbers.length);
    for (const number of numbers) {
      const at = number * packedRowWords;
      const group = words[at] as number;
      const end = ends.get(group) as number;
      ends.set(group, end + 1);
      this.#keys[end] = hash.ofWords(words, at + packedRowAt) * rowNumberSpan + number;
    }
    for (const [group, count] of groups) {
      const end = ends.get(group) as number;
      this.#keys.subarray(end - count, end).sort();
    }
  }

  get length(): number {
    return this.#keys.length;
  }

  /** Hash of the row at a sorted position. */
  hashAt(position: number): number {
    return Math.floor((this.#keys[position] as number) / rowNumberSpan);
  }

  /** First word of the row at a sorted position. */
  wordAt(position: number): number {
    return ((this.#keys[position] as number) % rowNumberSpan) * packedRowWords;
  }
}
