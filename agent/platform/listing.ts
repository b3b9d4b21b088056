// The names of one directory, in about 7 bytes each beyond the name itself, so that a directory of
// millions of entries is one flat piece of memory and not millions of objects. Small ones: direntListing.ts.

import type { EntryKind } from "./statTable.ts";

/** A directory's entries, sorted by the bytes of their names, each name once. */
export type Listing = {
  readonly count: number;
  /** All names, each followed by a NUL, in the order the system gave them; there may be more between them. */
  readonly names: Buffer;
  /** Where the name of entry i begins in `names`. */
  readonly offsets: Uint32Array;
  /** Its length in bytes, without the NUL. */
  readonly lengths: Uint16Array;
  /** Its EntryKind; `unknown` where the file system does not tell (then ask stat). */
  readonly kinds: Uint8Array;
};

/** The bytes of a name: a view, not a copy. */
export function nameAt(listing: Listing, index: number): Buffer {
  const start = listing.offsets[index] as number;
  return listing.names.subarray(start, start + (listing.lengths[index] as number));
}

/** Finds a name by bisection; -1 where there is none. */
export function indexOfName(listing: Listing, name: Uint8Array): number {
  let low = 0;
  let high = listing.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = Buffer.compare(nameAt(listing, middle), name);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return -1;
}

/** Takes in names in any order and gives a Listing. */
export class ListingBuilder {
  #names = Buffer.from(new ArrayBuffer(4096));
  #used = 0;
  #starts = new Uint32Array(64);
  #kinds = new Uint8Array(64);
  #count = 0;

  /** Adds the name at [start, end) of `source`. */
  add(source: Uint8Array, start: number, end: number, kind: EntryKind): void {
    const length = end - start;
    if (this.#used + length + 1 > this.#names.length) {
      // transfer() lets the allocator grow the block in place: no second copy of a large directory.
      const bytes = Math.max(this.#names.length * 2, this.#used + length + 1);
      this.#names = Buffer.from((this.#names.buffer as ArrayBuffer).transfer(bytes));
    }
    if (this.#count === this.#starts.length) {
      this.#starts = new Uint32Array(this.#starts.buffer.transfer(this.#count * 8));
      this.#kinds = new Uint8Array(this.#kinds.buffer.transfer(this.#count * 2));
    }
    this.#names.set(source.subarray(start, end), this.#used);
    this.#names[this.#used + length] = 0;
    this.#starts[this.#count] = this.#used;
    this.#kinds[this.#count] = kind;
    this.#used += length + 1;
    this.#count++;
  }

  /** Sorts, drops names given twice (a directory that changes while it is read may do so) and ends this builder. */
  finish(): Listing {
    const names = Buffer.from((this.#names.buffer as ArrayBuffer).transfer(this.#used));
    const starts = this.#starts;
    const count = this.#count;
    const order = new Uint32Array(count);
    for (let index = 0; index < count; index++) order[index] = index;
    sortByName(order, names, starts);

    const offsets = new Uint32Array(count);
    const lengths = new Uint16Array(count);
    const kinds = new Uint8Array(count);
    let kept = 0;
    for (let at = 0; at < count; at++) {
      const index = order[at] as number;
      const start = starts[index] as number;
      const end = index + 1 < count ? (starts[index + 1] as number) : this.#used;
      const length = end - start - 1;
      if (kept > 0 && length === lengths[kept - 1]) {
        const before = offsets[kept - 1] as number;
        if (names.compare(names, before, before + length, start, start + length) === 0) continue;
      }
      offsets[kept] = start;
      lengths[kept] = length;
      kinds[kept] = this.#kinds[index] as number;
      kept++;
    }
    return firstOf({ count, names, offsets, lengths, kinds }, kept);
  }
}

/** The first entries of a listing. */
export function firstOf({ names, offsets, lengths, kinds }: Listing, count: number): Listing {
  return {
    count,
    names,
    offsets: offsets.subarray(0, count),
    lengths: lengths.subarray(0, count),
    kinds: kinds.subarray(0, count),
  };
}

/** Below this many names insertion beats counting. */
const SMALL = 24;
const counts = new Uint32Array(257);

/**
 * Most-significant-byte radix sort of `order` by the NUL-ended names it points to: no call per comparison, and its
 * depth is bounded by the longest name, whatever the names are. 1,000,000 names take well under a second.
 */
export function sortByName(order: Uint32Array, names: Uint8Array, starts: Uint32Array): void {
  if (order.length <= SMALL) {
    insertionSort(order, 0, order.length, names, starts, 0);
    return;
  }
  const scratch = new Uint32Array(order.length);
  const tasks: number[] = [0, order.length, 0];
  while (tasks.length > 0) {
    const depth = tasks.pop() as number;
    const high = tasks.pop() as number;
    const low = tasks.pop() as number;
    if (high - low <= SMALL) {
      insertionSort(order, low, high, names, starts, depth);
      continue;
    }
    counts.fill(0);
    for (let at = low; at < high; at++) counts[byteAt(order, at, names, starts, depth) + 1]!++;
    for (let value = 0; value < 256; value++) counts[value + 1]! += counts[value]!;
    // counts[v] is now the first place of byte v within [low, high); remember the buckets before it moves on.
    for (let value = 1; value < 256; value++) {
      const first = counts[value] as number;
      const next = counts[value + 1] as number;
      // Byte 0 ends a name: all names in that bucket are equal, so it needs no task.
      if (next - first > 1) tasks.push(low + first, low + next, depth + 1);
    }
    for (let at = low; at < high; at++) {
      const value = byteAt(order, at, names, starts, depth);
      scratch[low + counts[value]!++] = order[at] as number;
    }
    order.set(scratch.subarray(low, high), low);
  }
}

function byteAt(
  order: Uint32Array,
  at: number,
  names: Uint8Array,
  starts: Uint32Array,
  depth: number,
): number {
  return names[(starts[order[at] as number] as number) + depth] as number;
}

function insertionSort(
  order: Uint32Array,
  low: number,
  high: number,
  names: Uint8Array,
  starts: Uint32Array,
  depth: number,
): void {
  for (let at = low + 1; at < high; at++) {
    const moving = order[at] as number;
    let place = at;
    while (
      place > low &&
      compareFrom(names, starts[order[place - 1] as number]!, starts[moving]!, depth) > 0
    ) {
      order[place] = order[place - 1] as number;
      place--;
    }
    order[place] = moving;
  }
}

/** How two NUL-ended names compare, of which the first `depth` bytes are equal. */
export function compareFrom(names: Uint8Array, left: number, right: number, depth: number): number {
  for (let at = depth; ; at++) {
    const a = names[left + at] as number;
    const b = names[right + at] as number;
    if (a !== b) return a - b;
    if (a === 0) return 0;
  }
}
