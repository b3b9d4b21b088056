// What a tree knows about one file, directory or other thing, and which values are legal.
//
// The same shape serves twice: read from a page, things are named by ordinals in the page's references; to be
// written, by chunk ids. EntryOf is open in how it names them.
import { limits } from "../limits.ts";
import type { Xattr } from "./xattrs.ts";

/** Numbers of the `kind` field. */
export const EntryKind = {
  file: 1,
  directory: 2,
  symlink: 3,
  fifo: 4,
  socket: 5,
  characterDevice: 6,
  blockDevice: 7,
} as const;
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind];

/** Seconds since 1970 (negative before), between -2^53 and 2^53; nanoseconds 0..999,999,999 are added. */
export type Timestamp = { readonly seconds: number; readonly nanoseconds: number };

/** A record named by its place in the references of the page. */
export type OrdinalRef = { readonly ordinal: number };
/** A record named by its id, with the bytes of its plaintext. */
export type ChunkRef = { readonly id: Uint8Array; readonly plainLength: number };

/** A run of a file's content: zeros, or `length` bytes from `offset` in a chunk. */
export type ExtentOf<Ref> =
  | { readonly length: number; readonly hole: true }
  | ({ readonly length: number; readonly hole: false; readonly offset: number } & Ref);

export type XattrsOf<Ref> =
  | { readonly form: "none" }
  | { readonly form: "inline"; readonly list: readonly Xattr[] }
  | ({ readonly form: "record" } & Ref);

export type ContentOf<Ref> =
  | { readonly form: "inline"; readonly extents: readonly ExtentOf<Ref>[] }
  | ({
      readonly form: "pages";
      /** Bytes outside holes; only of a file with holes, and not where its writer left it out. */
      readonly dataBytes?: number;
    } & Ref);

/** The root page of a directory and what is below it on all levels; `files` are all kinds but directories. */
export type ChildOf<Ref> = Ref & {
  readonly files: number;
  readonly directories: number;
  readonly bytes: number;
};

/** One row of a directory. Names and link targets are bytes; owner names are empty when unknown. */
export type EntryOf<Ref> = {
  readonly name: Buffer;
  readonly kind: EntryKind;
  /** 12 bits: permissions, setuid, setgid, sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly userName: string;
  readonly groupName: string;
  readonly mtime: Timestamp;
  readonly ctime: Timestamp;
  /** All zero when unknown. */
  readonly btime: Timestamp;
  readonly device: bigint;
  readonly inode: bigint;
  readonly linkCount: number;
  readonly xattrs: XattrsOf<Ref>;
  /** Files only. */
  readonly size?: number;
  /** Files with size > 0 only: 32 bytes, and where the content is. */
  readonly fileHash?: Buffer;
  readonly content?: ContentOf<Ref>;
  /** Directories only. */
  readonly child?: ChildOf<Ref>;
  /** Symbolic links only. */
  readonly target?: Buffer;
  /** Devices only. */
  readonly major?: number;
  readonly minor?: number;
};

export type Extent = ExtentOf<OrdinalRef>;
export type Entry = EntryOf<OrdinalRef>;
export type ExtentDraft = ExtentOf<ChunkRef>;
export type EntryDraft = EntryOf<ChunkRef>;

const slash = 0x2f;
const dot = 0x2e;

/** Whether bytes can be the name of an entry: 1 to 1,024 of them, no `/`, no NUL, not `.` or `..`. */
export function isLegalName(bytes: Uint8Array, from = 0, to = bytes.length): boolean {
  const length = to - from;
  if (length === 0 || length > limits.nameBytesMax) return false;
  if (bytes[from] === dot && (length === 1 || (length === 2 && bytes[from + 1] === dot))) return false;
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!;
    if (byte === 0 || byte === slash) return false;
  }
  return true;
}

/** Whether a number is an integer from 0 to `max`. */
export function isCount(value: number | undefined, max = Number.MAX_SAFE_INTEGER): value is number {
  return Number.isSafeInteger(value) && value! >= 0 && value! <= max;
}

/** Whether a file's extents cover `size` bytes exactly, inside their chunks. */
export function extentsFit<Ref>(
  extents: readonly ExtentOf<Ref>[],
  size: number,
  plainLengthOf: (ref: Ref) => number,
): boolean {
  let rest = size;
  for (const extent of extents) {
    if (!isCount(extent.length) || extent.length === 0 || extent.length > rest) return false;
    rest -= extent.length;
    if (!extent.hole && !(isCount(extent.offset) && extent.offset + extent.length <= plainLengthOf(extent))) {
      return false;
    }
  }
  return rest === 0;
}

/** Bytes of a file's content that no hole covers; undefined where only its extent pages would tell. */
export function dataBytesOf<Ref>(content: ContentOf<Ref>): number | undefined {
  if (content.form === "pages") return content.dataBytes;
  return content.extents.reduce((sum, extent) => (extent.hole ? sum : sum + extent.length), 0);
}

/**
 * Numbers of the forms of attributes and content in a row: none, inline, in a record of their own; content also in a record and
 * with holes that are counted.
 */
export const Form = { none: 0, inline: 1, record: 2, sparseRecord: 3 } as const;
