// The records of a ZIP file (PKWARE's APPNOTE 6.3, Info-ZIP's extra fields). All numbers are little-endian.

import { isUtf8 } from "node:buffer";
import type { Attributes } from "../../view/view.ts";
import type { ZipEntry } from "./zipEntry.ts";

/** What is known of an entry once its content went by. */
export type Written = {
  readonly crc: number;
  readonly compressedBytes: number;
  readonly deflated: boolean;
};

const signature = {
  local: 0x04034b50,
  descriptor: 0x08074b50,
  central: 0x02014b50,
  end: 0x06054b50,
  end64: 0x06064b50,
  locator64: 0x07064b50,
} as const;

const flag = { descriptor: 1 << 3, utf8: 1 << 11 } as const;
const version = { plain: 20, zip64: 45 } as const;
const madeByUnix = 3 << 8;
const method = { stored: 0, deflated: 8 } as const;
const max16 = 0xffff;
const max32 = 0xffffffff;
/** From this size on sizes take 64 bits in the entry's own records: content may grow by a thousandth when it is packed. */
const large = 0xf0000000;

const fileTypes: Readonly<Partial<Record<Attributes["kind"], number>>> = {
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
};

/** The header before an entry's content; `written` is not known yet of one that is streamed. */
export function localHeader(entry: ZipEntry, written: Written | undefined): Buffer {
  const { name, size } = entry;
  const zip64 = size >= large;
  const extra = extraFields(entry.attributes, zip64 ? [0, 0] : []);
  const header = Buffer.alloc(30);
  header.writeUInt32LE(signature.local, 0);
  header.writeUInt16LE(zip64 ? version.zip64 : version.plain, 4);
  header.writeUInt16LE(flagsOf(entry), 6);
  header.writeUInt16LE(written?.deflated === false ? method.stored : method.deflated, 8);
  header.writeUInt32LE(dosTime(entry.attributes.mtimeNs), 10);
  header.writeUInt32LE(written?.crc ?? 0, 14);
  header.writeUInt32LE(zip64 ? max32 : (written?.compressedBytes ?? 0), 18);
  header.writeUInt32LE(zip64 ? max32 : written === undefined ? 0 : size, 22);
  header.writeUInt16LE(name.length, 26);
  header.writeUInt16LE(extra.length, 28);
  return Buffer.concat([header, name, extra]);
}

/** What follows the content of a streamed entry. */
export function descriptor({ size }: ZipEntry, { crc, compressedBytes }: Written): Buffer {
  const zip64 = size >= large;
  const record = Buffer.alloc(zip64 ? 24 : 16);
  record.writeUInt32LE(signature.descriptor, 0);
  record.writeUInt32LE(crc, 4);
  if (zip64) {
    record.writeBigUInt64LE(BigInt(compressedBytes), 8);
    record.writeBigUInt64LE(BigInt(size), 16);
  } else {
    record.writeUInt32LE(compressedBytes, 8);
    record.writeUInt32LE(size, 12);
  }
  return record;
}

/** How many bytes an entry takes from its header to the end of its descriptor. */
export function entryBytes(entry: ZipEntry, written: Written): number {
  const head = localHeader(entry, entry.streamed ? undefined : written).length;
  return head + written.compressedBytes + (entry.streamed ? descriptor(entry, written).length : 0);
}

/** The entry's row in the list at the end. `offset`: where its local header is. */
export function centralHeader(entry: ZipEntry, written: Written, offset: number): Buffer {
  const { name, size, attributes } = entry;
  const { crc, compressedBytes, deflated } = written;
  const wide = [size, compressedBytes, offset].filter((value) => value >= max32);
  const extra = extraFields(attributes, wide);
  const header = Buffer.alloc(46);
  header.writeUInt32LE(signature.central, 0);
  header.writeUInt16LE(madeByUnix | version.zip64, 4);
  header.writeUInt16LE(wide.length > 0 || size >= large ? version.zip64 : version.plain, 6);
  header.writeUInt16LE(flagsOf(entry), 8);
  header.writeUInt16LE(deflated ? method.deflated : method.stored, 10);
  header.writeUInt32LE(dosTime(attributes.mtimeNs), 12);
  header.writeUInt32LE(crc, 16);
  header.writeUInt32LE(Math.min(compressedBytes, max32), 20);
  header.writeUInt32LE(Math.min(size, max32), 24);
  header.writeUInt16LE(name.length, 28);
  header.writeUInt16LE(extra.length, 30);
  const unixMode = (fileTypes[attributes.kind] ?? 0) | attributes.mode;
  header.writeUInt32LE(((unixMode << 16) | (attributes.kind === "directory" ? 0x10 : 0)) >>> 0, 38);
  header.writeUInt32LE(Math.min(offset, max32), 42);
  return Buffer.concat([header, name, extra]);
}

/** The end of the archive. `offset` and `bytes`: of the list of entries. */
export function endRecords(entries: number, offset: number, bytes: number): Buffer {
  const end = Buffer.alloc(22);
  end.writeUInt32LE(signature.end, 0);
  end.writeUInt16LE(Math.min(entries, max16), 8);
  end.writeUInt16LE(Math.min(entries, max16), 10);
  end.writeUInt32LE(Math.min(bytes, max32), 12);
  end.writeUInt32LE(Math.min(offset, max32), 16);
  if (entries < max16 && offset < max32 && bytes < max32) return end;
  const end64 = Buffer.alloc(56 + 20);
  end64.writeUInt32LE(signature.end64, 0);
  end64.writeBigUInt64LE(44n, 4);
  end64.writeUInt16LE(madeByUnix | version.zip64, 12);
  end64.writeUInt16LE(version.zip64, 14);
  end64.writeBigUInt64LE(BigInt(entries), 24);
  end64.writeBigUInt64LE(BigInt(entries), 32);
  end64.writeBigUInt64LE(BigInt(bytes), 40);
  end64.writeBigUInt64LE(BigInt(offset), 48);
  end64.writeUInt32LE(signature.locator64, 56);
  end64.writeBigUInt64LE(BigInt(offset + bytes), 64);
  end64.writeUInt32LE(1, 72);
  return Buffer.concat([end64, end]);
}

/**
 * Names in UTF-8 say so. Others go in as the bytes they are: bsdtar on Unix gives the same bytes back, unzip too but for 0xff,
 * others show them in a code page of their own.
 */
function flagsOf({ name, streamed }: ZipEntry): number {
  return (isUtf8(name) ? flag.utf8 : 0) | (streamed ? flag.descriptor : 0);
}

/** Fields: sizes of 64 bits where some are given; time in seconds since 1970, or NTFS's beyond their range; owners. */
function extraFields({ mtimeNs, uid, gid }: Attributes, wide: readonly number[]): Buffer {
  const fields: Buffer[] = [];
  if (wide.length > 0) {
    const field = extraField(0x0001, wide.length * 8);
    for (const [index, value] of wide.entries()) field.writeBigUInt64LE(BigInt(value), 4 + index * 8);
    fields.push(field);
  }
  const seconds = floorSeconds(mtimeNs);
  if (seconds >= -(2 ** 31) && seconds < 2 ** 31) {
    const time = extraField(0x5455, 5);
    time[4] = 1; // only the time of modification
    time.writeInt32LE(seconds, 5);
    fields.push(time);
  } else if (ntfsTime(mtimeNs) !== undefined) {
    const time = extraField(0x000a, 32);
    time.writeUInt16LE(1, 8);
    time.writeUInt16LE(24, 10);
    for (const at of [12, 20, 28]) time.writeBigUInt64LE(ntfsTime(mtimeNs) as bigint, at);
    fields.push(time);
  }
  const owner = extraField(0x7875, 11);
  owner[4] = 1; // version
  owner[5] = 4;
  owner.writeUInt32LE(uid, 6);
  owner[10] = 4;
  owner.writeUInt32LE(gid, 11);
  fields.push(owner);
  return Buffer.concat(fields);
}

function extraField(id: number, bytes: number): Buffer {
  const field = Buffer.alloc(4 + bytes);
  field.writeUInt16LE(id, 0);
  field.writeUInt16LE(bytes, 2);
  return field;
}

function floorSeconds(timeNs: bigint): number {
  return Number((timeNs - (((timeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n)) / 1_000_000_000n);
}

/** Steps of 100 ns since 1601, where that is a number. */
function ntfsTime(timeNs: bigint): bigint | undefined {
  const time = timeNs / 100n + 116_444_736_000_000_000n;
  return time >= 0n && time < 2n ** 63n ? time : undefined;
}

/** Date and time of MS-DOS in UTC, in steps of two seconds from 1980 to 2107: time below, date above. */
function dosTime(timeNs: bigint): number {
  const seconds = floorSeconds(timeNs);
  const date = new Date(Math.min(Math.max(seconds, 315_532_800), 4_354_819_198) * 1000);
  const day = ((date.getUTCFullYear() - 1980) << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate();
  const time = (date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1);
  return ((day << 16) | time) >>> 0;
}
