// Rows that are durable in packs but not yet in LMDB. Packs are the log: index commits may lag until a snapshot
// commits, and what a crash takes from here, recovery re-admits from frames beyond each pack's covered mark.
//
// Invariants
// - Only rows of records that are already fsynced are admitted, children before parents; and promised rows, before any record that names
//   them.
// - An id is in the overlay only while LMDB has no live row for it (or has not been told yet that it has). A promised row and the copy that
//   takes its place may both be there: the newer one counts, here and in the order in which LMDB gets them.
// - A flush takes the rows that were there when it began. Rows without references may reach LMDB in several durable
//   transactions (slices bound the pages that LMDB keeps dirty in memory); rows with references follow in the order
//   of admission; the last transaction carries the rest, the covered marks and the caller's own changes. So in
//   every state that a crash can leave, a row's references are there, and marks and snapshot speak only for what is.
// - Rows leave the overlay only after that last transaction is durable. A failed flush leaves all of them here.

import type { ChunkIndex } from "./chunkIndex.ts";
import { PackedRows, packedRowAt, packedRowsMax, packedRowWords, promisedArenaBytes } from "./packedRows.ts";
import type { PackTable } from "./packTable.ts";
import { type ChunkRow, chunkIdBytes, isHere, packedFlags, packId, rowFlags, unpackRow } from "./row.ts";

export type OverlayOptions = {
  /** Rows held at most; at four fifths of it `wantsFlush` turns true. About 60 bytes of memory each. Default 500,000. */
  readonly rowsMax?: number;
  /** Bytes of encoded references held at most. Default 16 MiB. */
  readonly refsBytesMax?: number;
  /** Buckets (4 KiB pages) that one transaction of a flush changes at most (thrice that in the worst case of a step
   * that ends the rows without references and begins those with). Default 2,048. */
  readonly sliceBuckets?: number;
};

export type Admission = {
  readonly ordinal: number;
  /** False: there was a live row already. */
  readonly added: boolean;
  /** Whether the ordinal is that of a row which was there already, live or not. */
  readonly known: boolean;
};
export type FlushResult<T> = { readonly value: T; readonly added: number; readonly transactions: number };

const slotsMin = 1024;

export class IndexOverlay {
  readonly #index: ChunkIndex;
  readonly #packs: PackTable;
  readonly #rowsMax: number;
  readonly #refsBytesMax: number;
  readonly #sliceBuckets: number;
  readonly #probe = new Uint32Array(4);
  #rows = new PackedRows(slotsMin);
  /** Promised rows among them. Their number is bounded by whoever asks for them; they do not fill the room of admissions. */
  #promised = 0;
  /** Open addressing; row number + 1, or 0 for a free slot. */
  #slots = new Uint32Array(slotsMin);
  #covered = new Map<number, number>();
  #flushing: Promise<unknown> = Promise.resolve();

  constructor(index: ChunkIndex, packs: PackTable, options: OverlayOptions = {}) {
    this.#index = index;
    this.#packs = packs;
    this.#rowsMax = options.rowsMax ?? 500_000;
    this.#refsBytesMax = options.refsBytesMax ?? 16 * 2 ** 20;
    this.#sliceBuckets = options.sliceBuckets ?? 2048;
    if (this.#rowsMax > packedRowsMax) throw new Error(`overlay: at most ${packedRowsMax} rows`);
  }

  /** Rows held. */
  get size(): number {
    return this.#rows.count;
  }

  /** Bytes of memory held. */
  get memoryBytes(): number {
    return this.#rows.words.byteLength + this.#rows.refsArena.byteLength + this.#slots.byteLength;
  }

  /** Time to call `flush`; admission goes on meanwhile. */
  get wantsFlush(): boolean {
    return this.#rows.count >= this.#rowsMax * 0.8 || this.#rows.refsBytes >= this.#refsBytesMax * 0.8;
  }

  /** No room: await a flush before the next `admit`. */
  get full(): boolean {
    const { count, refsBytes } = this.#rows;
    const promisedBytes = this.#promised * promisedArenaBytes;
    return count - this.#promised >= this.#rowsMax || refsBytes - promisedBytes >= this.#refsBytesMax;
  }

  /** The row of an id, from here or from LMDB. A row flagged `needed` is returned: the caller answers "no" for it. */
  lookup(group: number, id: Uint8Array): ChunkRow | undefined {
    const at = this.#find(group, id, 0);
    return at < 0 ? this.#index.lookup(group, id) : unpackRow(this.#rows.words, at);
  }

  /** As `lookup`, for n ids of 32 bytes one after the other; answers in their order. */
  lookupBatch(group: number, ids: Uint8Array): (ChunkRow | undefined)[] {
    if (this.#rows.count === 0) return this.#index.lookupBatch(group, ids);
    const answers = new Array<ChunkRow | undefined>(ids.length / chunkIdBytes);
    const missing = new Uint8Array(ids.length);
    const missingAt: number[] = [];
    for (let i = 0; i < answers.length; i++) {
      const at = this.#find(group, ids, i * chunkIdBytes);
      if (at >= 0) {
        answers[i] = unpackRow(this.#rows.words, at);
        continue;
      }
      missing.set(ids.subarray(i * chunkIdBytes, (i + 1) * chunkIdBytes), missingAt.length * chunkIdBytes);
      missingAt.push(i);
    }
    const found = this.#index.lookupBatch(group, missing.subarray(0, missingAt.length * chunkIdBytes));
    missingAt.forEach((i, n) => {
      answers[i] = found[n];
    });
    return answers;
  }

  /** Whether there is no row of a group, live or not, here or in LMDB. */
  isEmpty(group: number): boolean {
    // One look-up, which says no for every group that is in use for long: then the rows here need not be walked.
    if (!this.#index.upkeep.isEmpty(group)) return false;
    const { words, count } = this.#rows;
    for (let number = 0; number < count; number++) if (words[number * packedRowWords] === group) return false;
    return true;
  }

  /**
   * Enters a durable record. Where a live row exists it stays, and its ordinal is the answer; a needed or promised row's ordinal
   * passes to this copy. `refs` are the ordinals that the references were found under. Throws when `full`.
   */
  admit(
    group: number,
    id: Uint8Array,
    place: Omit<ChunkRow, "ordinal" | "flags">,
    refs?: readonly number[],
  ): Admission {
    const existing = this.lookup(group, id);
    if (existing !== undefined && isHere(existing))
      return { ordinal: existing.ordinal, added: false, known: true };
    if (this.full) throw new Error("overlay: full; flush before admitting more");
    const ordinal = existing?.ordinal ?? this.#index.nextOrdinal();
    this.#rows.add(group, id, { ...place, ordinal, flags: 0 }, refs);
    this.#linkLast();
    return { ordinal, added: true, known: existing !== undefined };
  }

  /** The ordinal of an id that is not here and that something is to rest on: of its row, which is made where there is none. */
  promise(group: number, id: Uint8Array, box: number): number {
    const existing = this.lookup(group, id);
    if (existing !== undefined) return existing.ordinal;
    const ordinal = this.#index.nextOrdinal();
    const row = { ordinal, pack: box, offset: 0, length: 0, type: 0, writer: 0, flags: rowFlags.promised };
    this.#rows.addPromised(group, id, row);
    this.#promised++;
    this.#linkLast();
    return ordinal;
  }

  /**
   * Says that every frame of a pack up to `bytes` was admitted (or was a duplicate). Never pass a frame that still
   * waits for its references. Takes effect in LMDB with the flush that begins next.
   */
  cover(pack: number, bytes: number): void {
    if (bytes > (this.#covered.get(pack) ?? -1)) this.#covered.set(pack, bytes);
  }

  /**
   * Writes what is here to LMDB and runs `commit` in the last transaction, so that index and snapshot land together.
   * Resolves when that is durable. Flushes run one after the other. If anything throws (`disk-full`, or `commit`
   * itself), nothing of the last transaction happened, all rows stay here, and the error is passed on.
   */
  flush<T = void>(commit?: () => T): Promise<FlushResult<T>> {
    const run = this.#flushing.then(() => this.#flush(commit));
    this.#flushing = run.catch(() => undefined);
    return run;
  }

  async #flush<T>(commit: (() => T) | undefined): Promise<FlushResult<T>> {
    const rows = this.#rows;
    const taken = rows.count;
    const covered = this.#covered;
    this.#covered = new Map();
    const leaves = rows.numbers((hasRefs) => !hasRefs);
    const parents = rows.numbers((hasRefs) => hasRefs);
    const environment = this.#index.environment;
    let added = 0;
    let transactions = 0;
    try {
      const sorted = this.#index.sort(rows, leaves);
      let leaf = 0;
      let parent = 0;
      for (;;) {
        const step = environment.write(() => {
          const slice = this.#index.insertSorted(sorted, leaf, this.#sliceBuckets);
          // Sparse rows touch nearly every branch page of the index each time, so they go in larger steps.
          const room = slice.position === sorted.length ? 2 * this.#sliceBuckets : 0;
          const end = Math.min(parents.length, parent + room);
          const more = this.#index.insertSorted(this.#index.sort(rows, parents.subarray(parent, end)), 0);
          const last = slice.position === sorted.length && end === parents.length;
          if (last) for (const [pack, bytes] of covered) this.#packs.cover(pack, bytes);
          return {
            leaf: slice.position,
            parent: end,
            added: slice.added + more.added,
            done: last ? { value: commit?.() as T } : undefined,
          };
        });
        ({ leaf, parent } = step);
        added += step.added;
        transactions++;
        if (step.done !== undefined) {
          this.#promised -= promisedAmong(rows, taken);
          rows.dropFirst(taken);
          this.#rebuildSlots();
          return { value: step.done.value, added, transactions };
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
    } catch (error) {
      for (const [pack, bytes] of covered) this.cover(pack, bytes);
      throw error;
    }
  }

  /** First word of the packed row (row.ts) of an id, or -1. */
  #find(group: number, ids: Uint8Array, idAt: number): number {
    if (this.#rows.count === 0) return -1;
    const { words } = this.#rows;
    const probe = this.#probe;
    packId(ids, idAt, probe, 0);
    const mask = this.#slots.length - 1;
    for (let slot = this.#slotOf(group, this.#index.hashOf(ids, idAt)); ; slot = (slot + 1) & mask) {
      const number = (this.#slots[slot] as number) - 1;
      if (number < 0) return -1;
      const at = number * packedRowWords;
      const id = at + packedRowAt;
      if (
        words[at] === group &&
        words[id] === probe[0] &&
        words[id + 1] === probe[1] &&
        words[id + 2] === probe[2] &&
        words[id + 3] === probe[3]
      ) {
        return id;
      }
    }
  }

  #slotOf(group: number, hash: number): number {
    return (hash ^ Math.imul(group, 0x9e3779b1)) & (this.#slots.length - 1);
  }

  #linkLast(): void {
    if (this.#rows.count * 2 > this.#slots.length) this.#rebuildSlots();
    else this.#link(this.#rows.count - 1);
  }

  /** Gives a row its slot, or that of an older row of the same id. */
  #link(number: number): void {
    const { words } = this.#rows;
    const at = number * packedRowWords;
    const mask = this.#slots.length - 1;
    let slot = this.#slotOf(words[at] as number, this.#index.hashOfWords(words, at + packedRowAt));
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      if (sameKey(words, at, ((this.#slots[slot] as number) - 1) * packedRowWords)) break;
    }
    this.#slots[slot] = number + 1;
  }

  /** Makes the slots fit the rows' memory (they stay at most half full until the rows outgrow it). */
  #rebuildSlots(): void {
    let size = slotsMin;
    while (size < this.#rows.capacity * 2) size *= 2;
    if (size === this.#slots.length) this.#slots.fill(0);
    else this.#slots = new Uint32Array(size);
    for (let number = 0; number < this.#rows.count; number++) this.#link(number);
  }
}

/** Whether the rows at these words are of one id in one group. */
function sameKey(words: Uint32Array, one: number, other: number): boolean {
  for (let word = 0; word < packedRowAt + 4; word++) {
    if (words[one + word] !== words[other + word]) return false;
  }
  return true;
}

function promisedAmong({ words }: PackedRows, count: number): number {
  let promised = 0;
  for (let at = packedRowAt; at < count * packedRowWords; at += packedRowWords) {
    if (packedFlags(words, at) & rowFlags.promised) promised++;
  }
  return promised;
}
