// Turns an attribute row of the platform into an entry of the tree, and tells whether it still equals an old one.

import { type ChunkRef, type EntryDraft, EntryKind, type XattrsOf } from "../../vault/tree/entry.ts";
import type { RowStat } from "../../vault/tree/entryReader.ts";
import type { Platform } from "../platform/port.ts";
import { type StatTable, EntryKind as SystemKind } from "../platform/statTable.ts";

const kinds = new Map<SystemKind, EntryKind>([
  [SystemKind.file, EntryKind.file],
  [SystemKind.directory, EntryKind.directory],
  [SystemKind.symlink, EntryKind.symlink],
  [SystemKind.fifo, EntryKind.fifo],
  [SystemKind.socket, EntryKind.socket],
  [SystemKind.characterDevice, EntryKind.characterDevice],
  [SystemKind.blockDevice, EntryKind.blockDevice],
]);

/** The kind of a row in a tree; undefined for something that Linux does not have today. */
export function kindOf(table: StatTable, row: number): EntryKind | undefined {
  return treeKind(table.kind(row));
}

/** What the tree calls a kind of the system. */
export function treeKind(kind: SystemKind): EntryKind | undefined {
  return kinds.get(kind);
}

/** Numbers the file systems of a run in the order they are met, so that the number survives a reboot. */
export class DeviceNumbers {
  readonly #numbers = new Map<number, bigint>();

  of(device: number): bigint {
    let number = this.#numbers.get(device);
    if (number === undefined) {
      number = BigInt(this.#numbers.size + 1);
      this.#numbers.set(device, number);
    }
    return number;
  }
}

/** The fields that every kind has. The entry keeps `name`, which must not change. */
export function draftOf(
  platform: Platform,
  table: StatTable,
  row: number,
  name: Buffer,
  kind: EntryKind,
  device: bigint,
  xattrs: XattrsOf<ChunkRef>,
): EntryDraft {
  const uid = table.uid(row);
  const gid = table.gid(row);
  return {
    name,
    kind,
    mode: table.permissions(row),
    uid,
    gid,
    userName: platform.userName(uid) ?? "",
    groupName: platform.groupName(gid) ?? "",
    mtime: { seconds: table.modifiedSeconds(row), nanoseconds: table.modifiedNanoseconds(row) },
    ctime: { seconds: table.changedSeconds(row), nanoseconds: table.changedNanoseconds(row) },
    btime: { seconds: table.bornSeconds(row), nanoseconds: table.bornNanoseconds(row) },
    device,
    inode: table.inode(row),
    linkCount: table.linkCount(row),
    xattrs,
  };
}

/** Whether a file's size, times and inode are those of the old row: then its content is taken to be the same. */
export function sameContentMark(table: StatTable, row: number, old: RowStat): boolean {
  return (
    old.size === table.size(row) &&
    old.mtimeNanoseconds === table.modifiedNanoseconds(row) &&
    old.mtimeSeconds === table.modifiedSeconds(row) &&
    sameInode(table, row, old)
  );
}

/** Whether nothing about the object changed: its change time and inode are as they were, and so is what they cover. */
export function sameInode(table: StatTable, row: number, old: RowStat): boolean {
  return (
    old.ctimeNanoseconds === table.changedNanoseconds(row) &&
    old.ctimeSeconds === table.changedSeconds(row) &&
    old.inodeLow === table.inodeLow(row) &&
    old.inodeHigh === table.inodeHigh(row) &&
    old.mode === table.permissions(row) &&
    old.uid === table.uid(row) &&
    old.gid === table.gid(row) &&
    old.linkCount === table.linkCount(row)
  );
}
