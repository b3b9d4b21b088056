// A row of the chunk index, and its packed form of ten 32-bit words:
//
//   0..3  first 16 bytes of the chunk id        6  pack ordinal
//   4     ordinal, low 32 bits                  7  offset of the record in the pack
//   5     ordinal high 8 | type 8 | flags 8     8  length of the record
//                                               9  writer (device ordinal)
//
// Words are little-endian in the file and read in place, so hosts must be little-endian (all of ours are).
//
// Why 16 bytes of the id are enough: ids are HMAC outputs, so among 2^40 chunks of one group two share 128 bits with
// probability 2^-49. Only someone with the group's id key can make such a pair on purpose, or claim an id that is
// not the hash of his bytes; either way he reaches what that key allows anyway: wrong bytes under a chosen id, inside
// his own group. Both end in the same place: the record holds the full id, whoever reads it compares, and a
// mismatch is handled as a damaged chunk (quarantine, writer named, need-list).

import { endianness } from "node:os";

if (endianness() !== "LE") throw new Error("the chunk index needs a little-endian host");

export type ChunkRow = {
  /** Record ordinal of this vault, below 2^40; never used twice. */
  ordinal: number;
  /** Pack ordinal, u32; of a promised row the number of the box that promised it. */
  pack: number;
  /** Where the record (not its frame) starts in the pack, u32 bytes. */
  offset: number;
  /** Bytes of the record, u32. */
  length: number;
  /** Record type, u8. */
  type: number;
  /** Device ordinal, u32. */
  writer: number;
  /** `rowFlags`, u8. */
  flags: number;
};

export type ChunkInsert = {
  readonly group: number;
  /** 32 bytes. */
  readonly id: Uint8Array;
  readonly row: ChunkRow;
  /** Ordinals of the records that this one refers to, in their order. */
  readonly refs?: readonly number[] | undefined;
};

/** The copy that a change means; the row is left alone when it names another. */
export type CopyPlace = Pick<ChunkRow, "pack" | "offset">;
/** What may change in a row: its place (repack, another copy) and its flags (quarantine). */
export type RowChange = Partial<Omit<ChunkRow, "ordinal">>;

export const rowFlags = {
  /** Quarantined or on the need-list: "have?" answers no, and the next copy takes the row's place and ordinal. Readers still get this one, if there is one. */
  needed: 1,
  /** Not here, and on its way with a box (docs/seeding.md): no place, no length; the next copy takes the row's place and ordinal. */
  promised: 2,
} as const;

/** Whether a row names bytes in a pack, sound or not. */
export function hasCopy({ flags, length }: Pick<ChunkRow, "flags" | "length">): boolean {
  return (flags & rowFlags.promised) === 0 && length > 0;
}

/** Whether a row speaks of a record that is here and sound as far as is known. */
export function isHere({ flags }: Pick<ChunkRow, "flags">): boolean {
  return (flags & (rowFlags.needed | rowFlags.promised)) === 0;
}

export const rowWords = 10;
export const chunkIdBytes = 32;
export const ordinalMax = 2 ** 40 - 1;

/** Reads one 32-bit little-endian word of an id at a byte position (signed; callers add >>> 0 where it matters). */
export function idWord(ids: Uint8Array, at: number): number {
  return (
    (ids[at] as number) |
    ((ids[at + 1] as number) << 8) |
    ((ids[at + 2] as number) << 16) |
    ((ids[at + 3] as number) << 24)
  );
}

/** Writes an id's prefix as the first four words of a packed row. */
export function packId(id: Uint8Array, at: number, words: Uint32Array, to: number): void {
  words[to] = idWord(id, at);
  words[to + 1] = idWord(id, at + 4);
  words[to + 2] = idWord(id, at + 8);
  words[to + 3] = idWord(id, at + 12);
}

/** Writes the six words after the id. Throws on an ordinal out of range: it would silently name another record. */
export function packRow(row: ChunkRow, words: Uint32Array, to: number): void {
  const high = Math.floor(row.ordinal / 2 ** 32);
  if (!(Number.isInteger(row.ordinal) && row.ordinal >= 0 && row.ordinal <= ordinalMax)) {
    throw new Error(`record ordinal ${row.ordinal} out of range`);
  }
  words[to + 4] = row.ordinal >>> 0;
  words[to + 5] = high | (row.type << 8) | (row.flags << 16);
  words[to + 6] = row.pack;
  words[to + 7] = row.offset;
  words[to + 8] = row.length;
  words[to + 9] = row.writer;
}

/** The ordinal in a packed row that starts at word `at`. */
export function packedOrdinal(words: Uint32Array, at: number): number {
  return ((words[at + 5] as number) & 0xff) * 2 ** 32 + (words[at + 4] as number);
}

/** Pack, length and writer of a packed row. */
export function packedPack(words: Uint32Array, at: number): number {
  return words[at + 6] as number;
}
export function packedLength(words: Uint32Array, at: number): number {
  return words[at + 8] as number;
}
export function packedWriter(words: Uint32Array, at: number): number {
  return words[at + 9] as number;
}

/** The record type in a packed row; 0 in a promised one. */
export function packedType(words: Uint32Array, at: number): number {
  return ((words[at + 5] as number) >>> 8) & 0xff;
}

/** The flags in a packed row. */
export function packedFlags(words: Uint32Array, at: number): number {
  return ((words[at + 5] as number) >>> 16) & 0xff;
}

/** Unpacks the row that starts at word `at`. */
export function unpackRow(words: Uint32Array, at: number): ChunkRow {
  const mixed = words[at + 5] as number;
  return {
    ordinal: (mixed & 0xff) * 2 ** 32 + (words[at + 4] as number),
    pack: words[at + 6] as number,
    offset: words[at + 7] as number,
    length: words[at + 8] as number,
    type: (mixed >>> 8) & 0xff,
    writer: words[at + 9] as number,
    flags: (mixed >>> 16) & 0xff,
  };
}

/** The id prefix of a packed row as bytes (a copy). */
export function packedIdPrefix(words: Uint32Array, at: number): Uint8Array {
  return new Uint8Array(words.slice(at, at + 4).buffer);
}
