// Reads the log that a `blklogwrites` node of QEMU writes (the form of Linux' dm-log-writes) and builds from it the disk that a
// loss of power at a chosen moment could have left.
//
// Form: a super block in sector 0 (u64 magic, u64 version 1, u64 number of entries, u32 sector size), then per entry one sector
// (u64 sector, u64 number of sectors, u64 flags, u64 length of a mark) and its data, none for a discard. QEMU logs a request when
// it is done, and rewrites the super block with each flush: its count is how much of the log is on disk for sure.

import { closeSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import type { Random } from "../fidelity/random.ts";

const magic = 0x6a736677736872n;
const flushFlag = 1n;
const discardFlag = 4n;
const markFlag = 8n;

export type LogEntry = {
  readonly kind: "write" | "flush" | "discard" | "mark";
  /** Place on the disk, in bytes. */
  readonly at: number;
  readonly length: number;
  /** Where its data stands in the log, in bytes. */
  readonly dataAt: number;
};

export type WriteLog = {
  readonly path: string;
  readonly sectorSize: number;
  readonly entries: readonly LogEntry[];
};

function readAt(fd: number, at: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  const got = readSync(fd, bytes, 0, length, at);
  if (got !== length) throw new Error(`the log ends at ${at + got}, wanted ${at + length}`);
  return bytes;
}

function readSuper(fd: number): { count: number; sectorSize: number } | undefined {
  const bytes = Buffer.alloc(28);
  if (readSync(fd, bytes, 0, 28, 0) < 28) return undefined;
  if (bytes.readBigUInt64LE(0) !== magic || bytes.readBigUInt64LE(8) !== 1n)
    throw new Error("not a log of writes");
  return { count: Number(bytes.readBigUInt64LE(16)), sectorSize: bytes.readUInt32LE(24) };
}

/** How many entries are flushed by now; may be asked while the log is written to. */
export function flushedEntries(path: string): number {
  const fd = openSync(path, "r");
  try {
    return readSuper(fd)?.count ?? 0;
  } finally {
    closeSync(fd);
  }
}

/** All entries up to the last flush. */
export function readWriteLog(path: string): WriteLog {
  const fd = openSync(path, "r");
  try {
    const head = readSuper(fd);
    if (head === undefined) throw new Error("the log is empty");
    const { count, sectorSize } = head;
    const entries: LogEntry[] = [];
    let at = sectorSize;
    for (let i = 0; i < count; i++) {
      const bytes = readAt(fd, at, 32);
      const sectors = Number(bytes.readBigUInt64LE(8));
      const flags = bytes.readBigUInt64LE(16);
      at += sectorSize;
      let kind: LogEntry["kind"] = "write";
      if (flags & flushFlag) kind = "flush";
      else if (flags & discardFlag) kind = "discard";
      else if (flags & markFlag) kind = "mark";
      const length = sectors * sectorSize;
      entries.push({ kind, at: Number(bytes.readBigUInt64LE(0)) * sectorSize, length, dataAt: at });
      if (kind !== "discard") at += length;
    }
    return { path, sectorSize, entries };
  } finally {
    closeSync(fd);
  }
}

/** Positions of flushes in the log: a replay to one of them has everything that was written before it. */
export function flushPositions({ entries }: WriteLog): number[] {
  return entries.flatMap(({ kind }, index) => (kind === "flush" ? [index] : []));
}

/** What becomes of a write that was not flushed. */
const fates = ["whole", "whole", "whole", "lost", "lost", "begun", "scattered"] as const;

/**
 * Writes the image that the disk may hold after power went while the flush behind `flush` was not yet done: every write up to that
 * flush, and of those after it, up to the next flush, a random part or none. Some of these are torn: a disk writes sectors, in any order, so
 * what is there of them are the first sectors, or just any.
 */
export function replay(
  log: WriteLog,
  flush: number,
  image: string,
  diskBytes: number,
  random: Random | "none",
): void {
  if (log.entries[flush]?.kind !== "flush") throw new Error(`entry ${flush} is no flush`);
  const next = log.entries.findIndex(({ kind }, index) => index > flush && kind === "flush");
  const after = log.entries
    .slice(flush + 1, next < 0 ? undefined : next)
    .filter(({ kind }) => kind === "write");
  const from = openSync(log.path, "r");
  const to = openSync(image, "w");
  try {
    ftruncateSync(to, diskBytes);
    /** Bytes `start` to `end` of an entry. */
    const apply = (entry: LogEntry, start: number, end: number): void => {
      const data =
        entry.kind === "write" ? readAt(from, entry.dataAt + start, end - start) : Buffer.alloc(end - start);
      for (let done = 0; done < data.length; ) {
        done += writeSync(to, data, done, data.length - done, entry.at + start + done);
      }
    };
    for (const entry of log.entries.slice(0, flush)) {
      if (entry.kind === "write" || entry.kind === "discard") apply(entry, 0, entry.length);
    }
    if (random === "none") return;
    const { sectorSize } = log;
    for (const entry of after) {
      const fate = fates[random.below(fates.length)];
      if (fate === "whole") apply(entry, 0, entry.length);
      if (fate === "begun") apply(entry, 0, random.below(entry.length / sectorSize + 1) * sectorSize);
      for (let at = 0; fate === "scattered" && at < entry.length; at += sectorSize) {
        if (random.below(2) === 0) apply(entry, at, at + sectorSize);
      }
    }
  } finally {
    closeSync(from);
    closeSync(to);
  }
}
