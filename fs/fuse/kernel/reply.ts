// Encodes what the kernel gets back. Every body here starts at 0; the out header is put before it
// by the channel.

import type { Attributes, NodeKind } from "../../view/view.ts";
import { ATTR_OUT_BYTES, DIRENT_BYTES, ENTRY_OUT_BYTES, PAGE_BYTES } from "./abi.ts";

const NS = 1_000_000_000n;

/** The type bits of st_mode. */
export const typeBits: Readonly<Record<NodeKind, number>> = {
  fifo: 0o010000,
  characterDevice: 0o020000,
  directory: 0o040000,
  blockDevice: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
};

/** How attributes are shown: archived owners, or all as one user. */
export type Ownership = { readonly uid: number; readonly gid: number } | undefined;

/** The type bits of st_mode for a kind. */
export function modeOf(attributes: Attributes): number {
  return typeBits[attributes.kind] | (attributes.mode & 0o7777);
}

/** glibc's gnu_dev_makedev cut to the 32 bits that the kernel's new_decode_dev reads. */
export function deviceNumber(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

function writeCount(out: Buffer, value: number, at: number): void {
  out.writeUInt32LE(value >>> 0, at);
  out.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

function writeTime(out: Buffer, ns: bigint, secondsAt: number, nanosecondsAt: number): void {
  // Floor division: times before 1970 have negative seconds and positive nanoseconds.
  let seconds = ns / NS;
  if (ns < 0n && seconds * NS !== ns) seconds -= 1n;
  out.writeBigInt64LE(seconds, secondsAt);
  out.writeUInt32LE(Number(ns - seconds * NS), nanosecondsAt);
}

function writeAttr(out: Buffer, at: number, attributes: Attributes, owner: Ownership): void {
  out.writeBigUInt64LE(attributes.inode, at);
  out.writeBigUInt64LE(attributes.size, at + 8);
  out.writeBigUInt64LE((attributes.allocatedBytes + 511n) / 512n, at + 16);
  writeTime(out, attributes.mtimeNs, at + 24, at + 48);
  writeTime(out, attributes.mtimeNs, at + 32, at + 52);
  writeTime(out, attributes.ctimeNs, at + 40, at + 56);
  out.writeUInt32LE(modeOf(attributes), at + 60);
  out.writeUInt32LE(attributes.linkCount, at + 64);
  out.writeUInt32LE((owner ?? attributes).uid, at + 68);
  out.writeUInt32LE((owner ?? attributes).gid, at + 72);
  out.writeUInt32LE(deviceNumber(attributes.deviceMajor, attributes.deviceMinor), at + 76);
  out.writeUInt32LE(PAGE_BYTES, at + 80);
  out.writeUInt32LE(0, at + 84);
}

/** One answer to LOOKUP, or the first half of a READDIRPLUS row: name and attributes may be cached that long. */
export type EntryOut = {
  readonly nodeId: number;
  readonly attributes: Attributes;
  readonly entrySeconds: number;
  readonly attrSeconds: number;
};

/** fuse_entry_out at `at`; 128 bytes. */
export function writeEntry(out: Buffer, at: number, entry: EntryOut, owner: Ownership): void {
  writeCount(out, entry.nodeId, at);
  writeCount(out, 0, at + 8);
  writeCount(out, entry.entrySeconds, at + 16);
  writeCount(out, entry.attrSeconds, at + 24);
  writeCount(out, 0, at + 32);
  writeAttr(out, at + 40, entry.attributes, owner);
}

/** fuse_entry_out for "there is no such name", which the kernel remembers for `seconds`. */
export function negativeEntry(seconds: number): Buffer {
  const out = Buffer.alloc(ENTRY_OUT_BYTES);
  writeCount(out, seconds, 16);
  return out;
}

/** fuse_attr_out. */
export function attrReply(attributes: Attributes, seconds: number, owner: Ownership): Buffer {
  const out = Buffer.allocUnsafe(ATTR_OUT_BYTES);
  writeCount(out, seconds, 0);
  writeCount(out, 0, 8);
  writeAttr(out, 16, attributes, owner);
  return out;
}

/** Bytes that a directory row of that name takes. */
export function direntBytes(nameBytes: number, plus: boolean): number {
  return ((DIRENT_BYTES + nameBytes + 7) & ~7) + (plus ? ENTRY_OUT_BYTES : 0);
}

/** fuse_dirent at `at`; `next` is the offset from which the following row is read. */
export function writeDirent(
  out: Buffer,
  at: number,
  row: {
    readonly inode: bigint;
    readonly next: number;
    readonly kindBits: number;
    readonly name: Uint8Array;
  },
): void {
  out.writeBigUInt64LE(row.inode, at);
  writeCount(out, row.next, at + 8);
  out.writeUInt32LE(row.name.length, at + 16);
  out.writeUInt32LE(row.kindBits, at + 20);
  out.set(row.name, at + DIRENT_BYTES);
  out.fill(0, at + DIRENT_BYTES + row.name.length, at + direntBytes(row.name.length, false));
}

/** The d_type of a kind. */
export function kindBits(kind: NodeKind): number {
  return typeBits[kind] >> 12;
}

/** fuse_open_out without a file handle: nodes need none. */
export function openReply(flags: number): Buffer {
  const out = Buffer.alloc(16);
  out.writeUInt32LE(flags, 8);
  return out;
}

/** fuse_statfs_out of a full, read-only file system. */
export function statfsReply(totalBytes: bigint, nodes: bigint): Buffer {
  const out = Buffer.alloc(80);
  out.writeBigUInt64LE((totalBytes + BigInt(PAGE_BYTES) - 1n) / BigInt(PAGE_BYTES), 0);
  out.writeBigUInt64LE(nodes, 24);
  out.writeUInt32LE(PAGE_BYTES, 40);
  out.writeUInt32LE(255, 44);
  out.writeUInt32LE(PAGE_BYTES, 48);
  return out;
}

/** fuse_lseek_out. */
export function offsetReply(offset: bigint): Buffer {
  const out = Buffer.allocUnsafe(8);
  out.writeBigUInt64LE(offset);
  return out;
}

/** fuse_getxattr_out, the answer to "how long is it?". */
export function sizeReply(size: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeUInt32LE(size);
  return out;
}
