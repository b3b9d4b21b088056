// Turns an attribute row of the platform into an entry of the tree.

import { type ChunkRef, type EntryDraft, EntryKind, type XattrsOf } from "../../vault/tree/entry.ts";
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

/** Numbers of file systems that each run may give: those of one run are never those of another. */
const devicesPerRun = 2n ** 20n;

/** Number of the first file system that a run meets, for the item's sequence before the run. */
export function firstDeviceOf(sequence: number): bigint {
  return BigInt(sequence) * devicesPerRun + 1n;
}

/**
 * Numbers the file systems of a run, so that the number survives a reboot: one that the base has keeps its number, others get the next
 * ones in the order they are met. Two never share one, else files of the two would pass for hard links of each other.
 */
export class DeviceNumbers {
  readonly #numbers = new Map<number, bigint>();
  readonly #taken = new Set<bigint>();
  #next: bigint;

  /** @param first the number of the first file system that the base does not have: no earlier run gave it or a later one */
  constructor(first: bigint) {
    this.#next = first;
  }

  /** False where nothing told its number yet. */
  knows(device: number): boolean {
    return this.#numbers.has(device);
  }

  /** The base has entries of this file system under a number. */
  learn(device: number, number: bigint): void {
    if (!this.#numbers.has(device) && !this.#taken.has(number)) this.#set(device, number);
  }

  of(device: number): bigint {
    const known = this.#numbers.get(device);
    if (known !== undefined) return known;
    while (this.#taken.has(this.#next)) this.#next += 1n;
    return this.#set(device, this.#next);
  }

  #set(device: number, number: bigint): bigint {
    this.#numbers.set(device, number);
    this.#taken.add(number);
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
