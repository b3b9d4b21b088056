// Reading on Linux: listings, attributes, link targets, content and maps of holes.

import { addDirents, listDirents, smallBytesMax } from "./direntListing.ts";
import { PATH_BYTES_MAX } from "./entryName.ts";
import { addressIn, addressOf, allocateBlock, Syscall } from "./libc.ts";
import type { LinuxCalls } from "./linuxCalls.ts";
import { AT_EMPTY_PATH, AT_NO_AUTOMOUNT, AT_SYMLINK_NOFOLLOW } from "./linuxCalls.ts";
import { ListingBuilder } from "./listing.ts";
import { lastErrno } from "./notedErrno.ts";
import type { Handle, Platform, Segment } from "./port.ts";
import { SELF } from "./port.ts";
import type { StatTable } from "./statTable.ts";
import { STAT_ROW_BYTES } from "./statTable.ts";
import { Errno, SystemError } from "./systemError.ts";

// Basic fields, birth time and mount id.
const STATX_MASK = 0x7ff | 0x800 | 0x1000;
const LIST_BATCH_BYTES = 256 * 1024;

const SEEK_DATA = 3;
const SEEK_HOLE = 4;

type Reading = Pick<Platform, "list" | "stat" | "statListed" | "readLink" | "read" | "dataSegments">;

export function linuxReading(calls: LinuxCalls): Reading {
  const { libc } = calls;
  const batch = allocateBlock(LIST_BATCH_BYTES);
  const target = allocateBlock(PATH_BYTES_MAX + 1);
  const listed = new WeakSet<Handle>();
  // A table is used again and again: its address is asked for once.
  const addresses = new WeakMap<StatTable, number>();

  function rowsAddress(table: StatTable): number {
    let address = addresses.get(table);
    if (address === undefined) {
      address = addressOf(table.rows);
      addresses.set(table, address);
    }
    return address;
  }

  function seek(fd: number, offset: number, whence: number): number {
    const found = libc.lseek(fd, offset, whence);
    if (found >= 0) return found;
    const errno = lastErrno();
    return errno === Errno.ENXIO ? -1 : -1 - errno;
  }

  return {
    list(directory) {
      const { bytes, address } = batch;
      // A directory's position is its own.
      if (listed.has(directory)) calls.check(libc.lseek(directory.fd, 0, 0), "lseek", directory, SELF);
      else listed.add(directory);
      let builder: ListingBuilder | undefined;
      for (let used = 0; ; ) {
        const filled = calls.check(
          libc.syscall(Syscall.getdents64, directory.fd, address + used, LIST_BATCH_BYTES - used, 0, 0),
          "getdents64",
          directory,
          SELF,
        );
        if (filled === 0) return builder === undefined ? listDirents(bytes, used) : builder.finish();
        used += filled;
        if (builder === undefined && used <= smallBytesMax) continue;
        builder ??= new ListingBuilder();
        addDirents(builder, bytes, used);
        used = 0;
      }
    },

    stat(handle, name, table, row) {
      const address = calls.nameOrSelf(name, handle, "statx");
      const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name.length === 0 ? AT_EMPTY_PATH : 0);
      const result = libc.statx(
        handle.fd,
        address,
        flags,
        STATX_MASK,
        rowsAddress(table) + row * STAT_ROW_BYTES,
      );
      table.setErrno(row, result === 0 ? 0 : lastErrno());
      calls.check(result, "statx", handle, name);
    },

    statListed(directory, listing, first, count, table) {
      if (count > table.capacity) throw new RangeError(`${count} rows asked of a table of ${table.capacity}`);
      if (count === 0) return;
      const names = addressIn(listing.names);
      const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
      let address = rowsAddress(table);
      for (let row = 0; row < count; row++) {
        const name = names + (listing.offsets[first + row] as number);
        const result = libc.statx(directory.fd, name, flags, STATX_MASK, address);
        table.setErrno(row, result === 0 ? 0 : lastErrno());
        address += STAT_ROW_BYTES;
      }
    },

    readLink(directory, name) {
      const address = calls.name(name, directory, "readlink");
      const length = libc.readlinkat(directory.fd, address, target.address, target.bytes.length);
      calls.check(length, "readlink", directory, name);
      return Buffer.from(target.bytes.subarray(0, length));
    },

    read(file, into, position) {
      if (into.length === 0) return 0;
      const address = addressIn(into);
      for (;;) {
        const got = libc.pread(file.fd, address, into.length, position);
        if (got >= 0) return got;
        // File systems on a network or in a process may let a signal end a read.
        if (lastErrno() !== Errno.EINTR) calls.check(got, "read", file, SELF);
      }
    },

    dataSegments(file, from, size, segmentsMax) {
      if (size > Number.MAX_SAFE_INTEGER) throw new SystemError(Errno.EFBIG, "lseek", file.path);
      const segments: Segment[] = [];
      let at = from;
      while (at < size && segments.length < segmentsMax) {
        const start = seek(file.fd, at, SEEK_DATA);
        // A file system without SEEK_DATA (EINVAL) has no holes to tell of: the rest is data.
        if (start === -1 - Errno.EINVAL) return [...segments, { start: at, end: size }];
        if (start < -1) throw new SystemError(-1 - start, "lseek", file.path);
        // No data any more, or only beyond the size the caller saw before the file grew.
        if (start === -1 || start >= size) break;
        const hole = seek(file.fd, start, SEEK_HOLE);
        if (hole < -1) throw new SystemError(-1 - hole, "lseek", file.path);
        const end = hole === -1 ? size : Math.min(hole, size);
        segments.push({ start, end });
        at = end;
      }
      return segments;
    },
  };
}
