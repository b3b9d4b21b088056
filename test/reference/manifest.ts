// What is in a snapshot, entry by entry, with every byte of content verified against its file hash.
import { hex, must } from "./cursor.ts";
import { type Entry, type Extent, kinds } from "./directoryPage.ts";
import { type Content, fileHash } from "./fileHash.ts";
import type { Snapshot } from "./snapshot.ts";
import type { Vault } from "./vault.ts";

/** One entry; bytes in hex, times in nanoseconds. `error` says why its content or what is below it cannot be had. */
export type ManifestRow = {
  readonly path: string;
  readonly kind: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: bigint;
  readonly size?: number;
  readonly hash?: string;
  readonly target?: string;
  readonly device?: string;
  readonly link?: string;
  readonly xattrs: Readonly<Record<string, string>>;
  readonly error?: string;
};

/** A file's content by its extents, each with the offset at which it starts. */
export function contentOf(vault: Vault, group: number, entry: Entry): Content {
  const placed: (Extent & { from: number })[] = [];
  let from = 0;
  for (const extent of vault.extents(group, entry)) {
    placed.push({ ...extent, from });
    from += extent.length;
  }
  must(from === (entry.size ?? 0), "extents do not cover the file");
  const within = (start: number, end: number) =>
    placed.filter((extent) => extent.from < end && extent.from + extent.length > start);
  return {
    size: from,
    isHole: (start, end) => within(start, end).every(({ chunk }) => chunk === null),
    read: (offset, length) => {
      const bytes = new Uint8Array(length);
      for (const extent of within(offset, offset + length)) {
        if (extent.chunk === null) continue;
        const start = Math.max(offset, extent.from);
        const end = Math.min(offset + length, extent.from + extent.length);
        const all = vault.extentBytes(group, extent);
        bytes.set(all.subarray(start - extent.from, end - extent.from), start - offset);
      }
      return bytes;
    },
  };
}

/** Entries that are names of one thing have the same key; null where there is only one name. */
export function linkKey(entry: Entry): string | null {
  return entry.linkCount > 1 && entry.kind !== kinds.directory ? `${entry.device}:${entry.inode}` : null;
}

type Sums = { files: number; directories: number; bytes: number };

/** Walks a snapshot; names come in the order of their bytes, a directory before what is in it. */
export function manifest(vault: Vault, snapshot: Snapshot): ManifestRow[] {
  const rows: ManifestRow[] = [];

  const describe = (path: string, entry: Entry, error: string | undefined): ManifestRow => {
    const link = linkKey(entry);
    const attributes = vault.attributes(snapshot.group, entry);
    return {
      path,
      kind: entry.kind,
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      mtime: entry.mtime,
      xattrs: Object.fromEntries(attributes.map(({ name, value }) => [hex(name), hex(value)])),
      ...(entry.size === undefined ? {} : { size: entry.size }),
      ...(entry.fileHash === undefined ? {} : { hash: hex(entry.fileHash) }),
      ...(entry.target === undefined ? {} : { target: hex(entry.target) }),
      ...(entry.major === undefined ? {} : { device: `${entry.major}:${entry.minor}` }),
      ...(link === null ? {} : { link }),
      ...(error === undefined ? {} : { error }),
    };
  };

  const checkContent = (entry: Entry): string | undefined => {
    if (entry.kind !== kinds.file || entry.size === 0) return undefined;
    try {
      const hash = fileHash(vault.keys.fileHashKey(), contentOf(vault, snapshot.group, entry));
      must(hash !== null && hex(hash) === hex(entry.fileHash!), "the file hash is another");
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };

  const walk = (path: string, root: Uint8Array, plainLength?: number): Sums => {
    const sums = { files: 0, directories: 0, bytes: 0 };
    for (const entry of vault.entries(snapshot.group, root, plainLength)) {
      const below = `${path}2f${hex(entry.name)}`;
      const at = rows.push(describe(below, entry, checkContent(entry))) - 1;
      if (entry.child === undefined) {
        sums.files += 1;
        sums.bytes += entry.size ?? 0;
        continue;
      }
      const { child } = entry;
      sums.directories += 1 + child.directories;
      sums.files += child.files;
      sums.bytes += child.bytes;
      try {
        const found = walk(below, child.id, child.plainLength);
        must(
          found.files === child.files &&
            found.directories === child.directories &&
            found.bytes === child.bytes,
          "the counts of a directory are not those of what is below it",
        );
      } catch (error) {
        rows[at] = { ...rows[at]!, error: (error as Error).message };
      }
    }
    return sums;
  };

  walk("", snapshot.root);
  return rows;
}
