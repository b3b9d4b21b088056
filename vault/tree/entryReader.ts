// Reading rows of leaf pages (docs/format.md 6.4), whole or just what tells whether a file changed.
import type { ByteReader } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { limits } from "../limits.ts";
import { Width } from "../magic.ts";
import {
  type ChildOf,
  type ContentOf,
  type Entry,
  EntryKind,
  type Extent,
  extentsFit,
  Form,
  type OrdinalRef,
  type Timestamp,
  type XattrsOf,
} from "./entry.ts";
import { readXattrs } from "./xattrs.ts";

export const u32Max = 0xffff_ffff;
const nanosecondsMax = 999_999_999;
const inlineExtentBytesMin = 2;

/** What a row may refer to in its page. */
export type PageTables = {
  readonly refPlainLengths: readonly number[];
  /** User and group names; the first is the empty string. */
  readonly strings: readonly string[];
};

/** The numbers of a row that a change detector compares. To be reused: readStat fills it without allocating. */
export type RowStat = {
  kind: EntryKind;
  mode: number;
  uid: number;
  gid: number;
  mtimeSeconds: number;
  mtimeNanoseconds: number;
  ctimeSeconds: number;
  ctimeNanoseconds: number;
  deviceLow: number;
  deviceHigh: number;
  inodeLow: number;
  inodeHigh: number;
  linkCount: number;
  hasXattrs: boolean;
  /** Of a file; 0 for other kinds. */
  size: number;
};

/** A RowStat to fill. */
export function emptyRowStat(): RowStat {
  return {
    kind: EntryKind.file,
    mode: 0,
    uid: 0,
    gid: 0,
    mtimeSeconds: 0,
    mtimeNanoseconds: 0,
    ctimeSeconds: 0,
    ctimeNanoseconds: 0,
    deviceLow: 0,
    deviceHigh: 0,
    inodeLow: 0,
    inodeHigh: 0,
    linkCount: 0,
    hasXattrs: false,
    size: 0,
  };
}

function corrupt(message: string): HoldfastError {
  return new HoldfastError(ErrorCode.corrupt, message);
}

export function atMost(value: number, max: number, what: string): number {
  if (value > max) throw corrupt(`${what} ${value} in an entry`);
  return value;
}

function readKind(reader: ByteReader): EntryKind {
  const kind = reader.u8();
  if (kind < EntryKind.file || kind > EntryKind.blockDevice)
    throw corrupt(`unknown kind ${kind} of an entry`);
  return kind as EntryKind;
}

function readSeconds(reader: ByteReader): number {
  const low = reader.u32();
  const seconds = (reader.u32() | 0) * 2 ** 32 + low;
  if (!Number.isSafeInteger(seconds)) throw corrupt("timestamp out of range");
  return seconds;
}

function readNanoseconds(reader: ByteReader): number {
  return atMost(reader.u32(), nanosecondsMax, "nanoseconds");
}

function readTime(reader: ByteReader): Timestamp {
  const seconds = readSeconds(reader);
  return { seconds, nanoseconds: readNanoseconds(reader) };
}

function readOrdinal(reader: ByteReader, tables: PageTables): number {
  const ordinal = reader.varint();
  if (ordinal >= tables.refPlainLengths.length) throw corrupt(`ordinal ${ordinal} without a reference`);
  return ordinal;
}

function readString(reader: ByteReader, tables: PageTables): string {
  const text = tables.strings[reader.varint()];
  if (text === undefined) throw corrupt("owner name that its page does not list");
  return text;
}

function readXattrsField(reader: ByteReader, tables: PageTables): XattrsOf<OrdinalRef> {
  const form = reader.u8();
  if (form === Form.none) return { form: "none" };
  if (form === Form.record) return { form: "record", ordinal: readOrdinal(reader, tables) };
  if (form !== Form.inline) throw corrupt(`unknown form ${form} of attributes`);
  const start = reader.offset;
  const list = readXattrs(reader);
  if (list.length === 0 || reader.offset - start > limits.inlineXattrBytesMax) {
    throw corrupt("inline attributes that are empty or over 1 KiB");
  }
  return { form: "inline", list };
}

function readExtent(reader: ByteReader, tables: PageTables): Extent {
  const length = reader.varint();
  const place = reader.varint();
  if (place === 0) return { length, hole: true };
  const ordinal = atMost(place - 1, tables.refPlainLengths.length - 1, "ordinal");
  return { length, hole: false, ordinal, offset: reader.varint() };
}

function readContent(reader: ByteReader, size: number, tables: PageTables): ContentOf<OrdinalRef> {
  const form = reader.u8();
  if (form === Form.record) return { form: "pages", ordinal: readOrdinal(reader, tables) };
  if (form === Form.sparseRecord) {
    const ordinal = readOrdinal(reader, tables);
    const dataBytes = atMost(reader.varint(), size - 1, "bytes of data");
    if (dataBytes === 0) throw corrupt("extent pages without data");
    return { form: "pages", ordinal, dataBytes };
  }
  if (form !== Form.inline) throw corrupt(`unknown form ${form} of content`);
  const count = atMost(reader.varint(), limits.inlineExtentsMax, "inline extents");
  if (count * inlineExtentBytesMin > reader.remaining) throw corrupt("inline extents cut short");
  const extents: Extent[] = [];
  for (let i = 0; i < count; i++) extents.push(readExtent(reader, tables));
  if (!extentsFit(extents, size, (ref) => tables.refPlainLengths[ref.ordinal]!)) {
    throw corrupt("extents do not cover their file");
  }
  return { form: "inline", extents };
}

function readChild(reader: ByteReader, tables: PageTables): ChildOf<OrdinalRef> {
  return {
    ordinal: readOrdinal(reader, tables),
    files: reader.varint(),
    directories: reader.varint(),
    bytes: reader.varint(),
  };
}

/**
 * The entry at the reader's place behind its name; buffers are views. The caller checks that the row ends there.
 * @throws HoldfastError truncated, corrupt
 */
export function readEntry(reader: ByteReader, name: Buffer, tables: PageTables): Entry {
  const kind = readKind(reader);
  const common = {
    name,
    kind,
    mode: atMost(reader.varint(), 0o7777, "mode"),
    uid: atMost(reader.varint(), u32Max, "uid"),
    gid: atMost(reader.varint(), u32Max, "gid"),
    userName: readString(reader, tables),
    groupName: readString(reader, tables),
    mtime: readTime(reader),
    ctime: readTime(reader),
    btime: readTime(reader),
    device: reader.u64(),
    inode: reader.u64(),
    linkCount: atMost(reader.varint(), u32Max, "link count"),
    xattrs: readXattrsField(reader, tables),
  };
  switch (kind) {
    case EntryKind.file: {
      const size = reader.varint();
      if (size === 0) return { ...common, size };
      const fileHash = reader.bytes(Width.id);
      return { ...common, size, fileHash, content: readContent(reader, size, tables) };
    }
    case EntryKind.directory:
      return { ...common, child: readChild(reader, tables) };
    case EntryKind.symlink: {
      const target = reader.bytes(atMost(reader.varint(), limits.symlinkBytesMax, "length of a link target"));
      if (target.includes(0)) throw corrupt("link target with a NUL");
      return { ...common, target };
    }
    case EntryKind.characterDevice:
    case EntryKind.blockDevice: {
      const major = atMost(reader.varint(), u32Max, "device number");
      return { ...common, major, minor: atMost(reader.varint(), u32Max, "device number") };
    }
    case EntryKind.fifo:
    case EntryKind.socket:
      return common;
  }
}

const birthTimeBytes = 12;

/**
 * Fills `stat` from the row at the reader's place behind its name.
 * @throws HoldfastError truncated, corrupt
 */
export function readStat(reader: ByteReader, stat: RowStat): void {
  stat.kind = readKind(reader);
  stat.mode = reader.varint();
  stat.uid = reader.varint();
  stat.gid = reader.varint();
  reader.varint();
  reader.varint();
  stat.mtimeSeconds = readSeconds(reader);
  stat.mtimeNanoseconds = readNanoseconds(reader);
  stat.ctimeSeconds = readSeconds(reader);
  stat.ctimeNanoseconds = readNanoseconds(reader);
  reader.offset += birthTimeBytes;
  stat.deviceLow = reader.u32();
  stat.deviceHigh = reader.u32();
  stat.inodeLow = reader.u32();
  stat.inodeHigh = reader.u32();
  stat.linkCount = reader.varint();
  const form = reader.u8();
  stat.hasXattrs = form !== Form.none;
  if (form === Form.record) reader.varint();
  else if (form === Form.inline) readXattrs(reader);
  else if (form !== Form.none) throw corrupt(`unknown form ${form} of attributes`);
  stat.size = stat.kind === EntryKind.file ? reader.varint() : 0;
}
