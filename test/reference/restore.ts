// Writes a snapshot's tree into a folder with what node:fs can do: content with its holes, links, owner, mode and times. Devices,
// FIFOs, sockets and xattrs are beyond it; they are listed instead.
import {
  chmodSync,
  closeSync,
  constants,
  ftruncateSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { hex, must } from "./cursor.ts";
import { type Entry, kinds } from "./directoryPage.ts";
import { type Content, fileHash } from "./fileHash.ts";
import { contentOf, linkKey } from "./manifest.ts";
import type { Snapshot } from "./snapshot.ts";
import type { Vault } from "./vault.ts";

export type RestoreReport = {
  files: number;
  directories: number;
  /** What could not be had, by its path in the snapshot: other entries are there and right. */
  readonly failed: { readonly path: string; readonly reason: string }[];
  /** Paths of what node:fs cannot make. */
  readonly notMade: string[];
};

/** From here on a path is shortened by way of an open directory: the system takes none over 4,096 bytes. */
const pathLengthLong = 2000;

function join(folder: Uint8Array, name: Uint8Array): Buffer {
  return Buffer.concat([folder, Buffer.from("/"), name]);
}

function setOwnerModeTimes(path: Buffer, entry: Entry, asRoot: boolean): void {
  if (asRoot) lchownSync(path, entry.uid, entry.gid);
  if (entry.kind !== kinds.symlink) chmodSync(path, entry.mode);
  const seconds = Number(entry.mtime) / 1e9;
  lutimesSync(path, seconds, seconds);
}

/** Writes a file's extents, leaves its holes, and compares the file hash of what then stands there. */
function writeContent(path: Buffer, entry: Entry, vault: Vault, group: number): void {
  const content = contentOf(vault, group, entry);
  const fd = openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_RDWR, 0o600);
  let right = false;
  try {
    ftruncateSync(fd, content.size);
    let at = 0;
    for (const extent of vault.extents(group, entry)) {
      if (extent.chunk !== null) {
        const bytes = vault.extentBytes(group, extent);
        must(writeSync(fd, bytes, 0, bytes.length, at) === bytes.length, "a short write");
      }
      at += extent.length;
    }
    const written: Content = {
      size: content.size,
      isHole: content.isHole,
      read: (offset, length) => {
        const bytes = new Uint8Array(length);
        must(readSync(fd, bytes, 0, length, offset) === length, "a short read");
        return bytes;
      },
    };
    const hash = fileHash(vault.keys.fileHashKey(), written);
    must(
      hex(hash ?? new Uint8Array(0)) === hex(entry.fileHash ?? new Uint8Array(0)),
      "the file hash is another",
    );
    right = true;
  } finally {
    closeSync(fd);
    if (!right) rmSync(path);
  }
}

/** Restores the whole tree of a snapshot below `target`, which is created. Names that are there already fail. */
export function restore(vault: Vault, snapshot: Snapshot, target: string): RestoreReport {
  const report: RestoreReport = { files: 0, directories: 0, failed: [], notMade: [] };
  const asRoot = process.getuid?.() === 0;
  // The first name of a linked file has a short second one until the end, so that any depth can link to it.
  const shortNames = `${target}.links`;
  const firsts = new Map<string, string>();

  const attempt = (path: string, action: () => void): void => {
    try {
      action();
    } catch (error) {
      report.failed.push({ path, reason: (error as Error).message });
    }
  };

  const makeNew = (path: Buffer, entry: Entry): void => {
    if (entry.kind === kinds.symlink) symlinkSync(Buffer.from(entry.target!), path);
    else writeContent(path, entry, vault, snapshot.group);
    setOwnerModeTimes(path, entry, asRoot);
  };

  const make = (path: Buffer, named: string, entry: Entry): void => {
    if (entry.kind !== kinds.file && entry.kind !== kinds.symlink) {
      report.notMade.push(named);
      return;
    }
    const key = linkKey(entry);
    const first = key === null ? undefined : firsts.get(key);
    if (first === undefined) makeNew(path, entry);
    else linkSync(first, path);
    if (key !== null && first === undefined) {
      firsts.set(key, `${shortNames}/${firsts.size}`);
      linkSync(path, firsts.get(key)!);
    }
    report.files += 1;
  };

  const walk = (folder: Buffer, named: string, root: Uint8Array, plainLength?: number): void => {
    const fd = folder.length > pathLengthLong ? openSync(folder, constants.O_DIRECTORY) : null;
    const here = fd === null ? folder : Buffer.from(`/proc/self/fd/${fd}`);
    try {
      for (const entry of vault.entries(snapshot.group, root, plainLength)) {
        const path = join(here, entry.name);
        const below = `${named}/${Buffer.from(entry.name).toString("utf8")}`;
        if (entry.kind !== kinds.directory) {
          attempt(below, () => make(path, below, entry));
          continue;
        }
        mkdirSync(path, 0o700);
        report.directories += 1;
        attempt(below, () => walk(path, below, entry.child!.id, entry.child!.plainLength));
        setOwnerModeTimes(path, entry, asRoot);
      }
    } finally {
      if (fd !== null) closeSync(fd);
    }
  };

  mkdirSync(target, { recursive: true });
  mkdirSync(shortNames);
  try {
    walk(Buffer.from(target), "", snapshot.root);
  } finally {
    rmSync(shortNames, { recursive: true });
  }
  return report;
}
