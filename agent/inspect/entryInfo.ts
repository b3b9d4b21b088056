// An entry of a snapshot as a plain object, for printing.

import type { TreeEntry } from "../../fs/view/treeReader.ts";
import { pathToText } from "../../vault/pathText.ts";
import { EntryKind, type Timestamp } from "../../vault/tree/entry.ts";

const kindNames = {
  [EntryKind.file]: "file",
  [EntryKind.directory]: "directory",
  [EntryKind.symlink]: "symlink",
  [EntryKind.fifo]: "fifo",
  [EntryKind.socket]: "socket",
  [EntryKind.characterDevice]: "character-device",
  [EntryKind.blockDevice]: "block-device",
} as const;

export type KindName = (typeof kindNames)[EntryKind];

export type EntryInfo = {
  /** From the root of the snapshot, as text (vault/pathText.ts). */
  readonly path: string;
  readonly kind: KindName;
  /** Four octal digits. */
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly group: string;
  /** Bytes of a file; for a directory, of everything below it. */
  readonly size: number;
  /** RFC 3339 with nanoseconds; seconds since 1970 for years outside 0..9999. */
  readonly mtime: string;
  readonly links: number;
  readonly target?: string;
  readonly device?: string;
};

/** @param path the entry's path from the root, with a leading slash */
export function entryInfo(entry: TreeEntry, path: Uint8Array): EntryInfo {
  const { target, major, minor } = entry;
  return {
    path: pathToText(path),
    kind: kindNames[entry.kind],
    mode: entry.mode.toString(8).padStart(4, "0"),
    uid: entry.uid,
    gid: entry.gid,
    user: entry.userName,
    group: entry.groupName,
    size: entry.child?.bytes ?? entry.size ?? 0,
    mtime: timeText(entry.mtime),
    links: entry.linkCount,
    ...(target === undefined ? {} : { target: pathToText(target) }),
    ...(major === undefined || minor === undefined ? {} : { device: `${major}:${minor}` }),
  };
}

/** "2026-11-22T05:45:12.123456789Z". */
export function timeText(time: Timestamp): string {
  const date = new Date(time.seconds * 1000);
  const year = date.getUTCFullYear();
  if (!(year >= 0 && year <= 9999)) return `${time.seconds}.${nanosText(time)}`;
  return `${date.toISOString().slice(0, 19)}.${nanosText(time)}Z`;
}

function nanosText({ nanoseconds }: Timestamp): string {
  return String(nanoseconds).padStart(9, "0");
}
