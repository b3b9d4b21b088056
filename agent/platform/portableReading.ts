// Opening and reading without native code.

import * as fs from "node:fs";
import { ListingBuilder, nameAt } from "./listing.ts";
import type { Handle, Platform } from "./port.ts";
import type { PortablePaths } from "./portablePaths.ts";
import { EntryKind, type StatTable } from "./statTable.ts";
import { asSystemError, Errno, SystemError } from "./systemError.ts";

const LIST_BATCH_ENTRIES = 1024;

type Reading = Pick<
  Platform,
  | "openDirectory"
  | "openDirectoryAt"
  | "openFile"
  | "close"
  | "list"
  | "stat"
  | "statListed"
  | "readLink"
  | "read"
  | "dataSegments"
  | "xattrs"
>;

export function portableReading(paths: PortablePaths): Reading {
  function fill(handle: Handle, name: Uint8Array, table: StatTable, row: number): void {
    const stats = asSystemError(
      () => paths.shown(handle, name),
      () =>
        name.length === 0
          ? fs.fstatSync(handle.fd, { bigint: true })
          : fs.lstatSync(paths.reach(handle, name), { bigint: true }),
    );
    table.fill(row, stats);
  }

  function stat(handle: Handle, name: Uint8Array, table: StatTable, row: number): void {
    try {
      fill(handle, name, table, row);
    } catch (error) {
      table.setErrno(row, error instanceof SystemError ? error.errno : Errno.EINVAL);
      throw error;
    }
  }

  return {
    openDirectory: paths.openDirectory,
    openDirectoryAt: paths.openDirectoryAt,
    openFile: (directory, name) => paths.openRegular(directory, name, fs.constants.O_RDONLY),
    close: (handle) => fs.closeSync(handle.fd),

    list(directory) {
      return asSystemError(
        () => directory.path,
        () => {
          const builder = new ListingBuilder();
          const options = { encoding: "buffer" as const, bufferSize: LIST_BATCH_ENTRIES };
          // Node's declarations know no "buffer" here, though it gives names as Buffers then, as readdir does.
          const open = fs.opendirSync as unknown as (path: Buffer, how: typeof options) => BufferDir;
          const entries = open(paths.reachSelf(directory), options);
          try {
            for (let entry = entries.readSync(); entry !== null; entry = entries.readSync()) {
              builder.add(entry.name, 0, entry.name.length, kindOf(entry));
            }
          } finally {
            entries.closeSync();
          }
          return builder.finish();
        },
      );
    },

    stat,

    statListed(directory, listing, first, count, table) {
      if (count > table.capacity) throw new RangeError(`${count} rows asked of a table of ${table.capacity}`);
      for (let row = 0; row < count; row++) {
        try {
          stat(directory, nameAt(listing, first + row), table, row);
        } catch (error) {
          if (!(error instanceof SystemError)) throw error;
        }
      }
    },

    readLink: (directory, name) =>
      asSystemError(
        () => paths.shown(directory, name),
        () => fs.readlinkSync(paths.reach(directory, name), { encoding: "buffer" }),
      ),

    read: (file, target, position) =>
      asSystemError(
        () => file.path,
        () => fs.readSync(file.fd, target, 0, target.length, position),
      ),

    dataSegments(file, from, size) {
      if (size > Number.MAX_SAFE_INTEGER) throw new SystemError(Errno.EFBIG, "lseek", file.path);
      return from < size ? [{ start: from, end: size }] : [];
    },

    xattrs: () => [],
  };
}

type BufferDirent = Omit<fs.Dirent, "name"> & { readonly name: Buffer };
type BufferDir = { readSync(): BufferDirent | null; closeSync(): void };

function kindOf(entry: BufferDirent): EntryKind {
  if (entry.isFile()) return EntryKind.file;
  if (entry.isDirectory()) return EntryKind.directory;
  if (entry.isSymbolicLink()) return EntryKind.symlink;
  if (entry.isFIFO()) return EntryKind.fifo;
  if (entry.isSocket()) return EntryKind.socket;
  if (entry.isCharacterDevice()) return EntryKind.characterDevice;
  if (entry.isBlockDevice()) return EntryKind.blockDevice;
  return EntryKind.unknown;
}
