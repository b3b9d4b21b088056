// Small directories as Linux gives them: what getdents64 wrote is copied whole and the names stay where they stand in it, so that nothing is done for each
// name but to look at it. Most directories are small, and a walk of a tree that did not change lists them all.
//
// Stateful: arrays and a piece of memory that are used again for each listing; only finished listings leave this file, which nobody writes to any more.

import { compareFrom, firstOf, type Listing, type ListingBuilder, sortByName } from "./listing.ts";
import { Slab } from "./slab.ts";
import type { EntryKind } from "./statTable.ts";

/** Entries that take more are gathered in less memory (ListingBuilder). */
export const smallBytesMax = 16 * 1024;

// struct linux_dirent64 { u64 ino; s64 off; u16 reclen; u8 type; char name[]; }, of a multiple of 8 bytes
const RECLEN = 16;
const TYPE = 18;
const NAME = 19;
const ENTRY_BYTES_MIN = 24;
const DOT = 0x2e;

const entriesMax = Math.floor(smallBytesMax / ENTRY_BYTES_MIN);
const starts = new Uint32Array(entriesMax);
const order = new Uint32Array(entriesMax);
const slab = new Slab();

const empty: Listing = {
  count: 0,
  names: Buffer.alloc(0),
  offsets: new Uint32Array(0),
  lengths: new Uint16Array(0),
  kinds: new Uint8Array(0),
};

/** Whether the name that begins at `start` is "." or "..". */
function isDots(bytes: Uint8Array, start: number): boolean {
  if (bytes[start] !== DOT) return false;
  return bytes[start + 1] === 0 || (bytes[start + 1] === DOT && bytes[start + 2] === 0);
}

/** Adds entries, `used` bytes of them. */
export function addDirents(builder: ListingBuilder, bytes: Uint8Array, used: number): void {
  for (let at = 0; at < used; at = entryEnd(bytes, at)) {
    const start = at + NAME;
    if (!isDots(bytes, start))
      builder.add(bytes, start, nameEnd(bytes, start), bytes[at + TYPE] as EntryKind);
  }
}

/** The listing of a directory of which these are all entries, `used` bytes of at most smallBytesMax. */
export function listDirents(bytes: Uint8Array, used: number): Listing {
  let count = 0;
  for (let at = 0; at < used; at = entryEnd(bytes, at)) {
    if (isDots(bytes, at + NAME)) continue;
    starts[count] = at + NAME;
    order[count] = count;
    count++;
  }
  if (count === 0) return empty;
  sortByName(order.subarray(0, count), bytes, starts);

  // Offsets (u32), names, lengths (u16), kinds.
  const lengthsAt = count * 4 + used;
  const place = slab.take(lengthsAt + count * 3);
  const { buffer, byteOffset } = place;
  const names = place.subarray(count * 4, lengthsAt);
  const offsets = new Uint32Array(buffer, byteOffset, count);
  const lengths = new Uint16Array(buffer, byteOffset + lengthsAt, count);
  const kinds = place.subarray(lengthsAt + count * 2, lengthsAt + count * 3);
  names.set(bytes.subarray(0, used));
  let kept = 0;
  for (let index = 0; index < count; index++) {
    const start = starts[order[index]!]!;
    // A directory that changes while it is read may give a name twice.
    if (kept > 0 && compareFrom(names, offsets[kept - 1]!, start, 0) === 0) continue;
    offsets[kept] = start;
    lengths[kept] = nameEnd(bytes, start) - start;
    kinds[kept] = bytes[start - NAME + TYPE]!;
    kept++;
  }
  const all = { count, names, offsets, lengths, kinds };
  return kept === count ? all : firstOf(all, kept);
}

function entryEnd(bytes: Uint8Array, at: number): number {
  return at + (bytes[at + RECLEN]! | (bytes[at + RECLEN + 1]! << 8));
}

/** Where the NUL is: within the last 8 bytes of the entry, in which more may follow it. */
function nameEnd(bytes: Uint8Array, start: number): number {
  let end = Math.max(start, entryEnd(bytes, start - NAME) - 8);
  while (bytes[end] !== 0) end++;
  return end;
}
