// Opening and closing directories and files on Linux.

import { constants } from "node:fs";
import { checkName, PATH_BYTES_MAX, pathOf } from "./entryName.ts";
import { Syscall } from "./libc.ts";
import type { LinuxCalls } from "./linuxCalls.ts";
import { AT_EMPTY_PATH, AT_FDCWD } from "./linuxCalls.ts";
import { lastErrno } from "./notedErrno.ts";
import type { Handle, Platform } from "./port.ts";
import { SELF } from "./port.ts";
import { Errno, SystemError } from "./systemError.ts";

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_DIRECTORY, O_NOFOLLOW, O_NOATIME, O_NONBLOCK, O_NOCTTY } =
  constants;
// Node does not export this one; the same on every processor but alpha, parisc and sparc.
const O_CLOEXEC = 0o2000000;

const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;

const SLASH = 0x2f;
const TYPE_MASK = 0o170000;
const REGULAR = 0o100000;
const MODE_WORD_OFFSET = 28;
const STATX_TYPE = 1;

type Handles = Pick<
  Platform,
  "openDirectory" | "openDirectoryAt" | "openFile" | "openFileForUpdate" | "createFile" | "close"
>;

export function linuxHandles(calls: LinuxCalls): Handles {
  const { libc, fields } = calls;
  let openat2Works = true;

  /** O_NOATIME is for owners and root alone, so a refusal asks once more without it. */
  function openQuietly(fd: number, address: number, flags: number): number {
    const opened = libc.openat(fd, address, flags | O_NOATIME, 0);
    return opened < 0 && lastErrno() === Errno.EPERM ? libc.openat(fd, address, flags, 0) : opened;
  }

  function openBeneath(fd: number, address: number): number {
    const flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    // struct open_how { flags, mode, resolve }, 64 bits each.
    for (const attempt of [flags | O_NOATIME, flags]) {
      fields.view.setBigUint64(0, BigInt(attempt), true);
      fields.view.setBigUint64(8, 0n, true);
      fields.view.setBigUint64(
        16,
        BigInt(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS),
        true,
      );
      const opened = libc.syscall(Syscall.openat2, fd, address, fields.address as number, 24, 0);
      if (opened >= 0 || lastErrno() !== Errno.EPERM) return opened;
    }
    return -1;
  }

  /** Walks a path in pieces that one call takes; `step` opens a piece relative to a descriptor. */
  function descend(
    start: Handle,
    path: Uint8Array,
    nextPiece: (from: number) => number,
    step: (fd: number, piece: Uint8Array) => number,
  ): number {
    let fd = start.fd;
    for (let from = 0; from < path.length; ) {
      const end = nextPiece(from);
      const opened = step(fd, path.subarray(from, end));
      const errno = opened < 0 ? lastErrno() : 0;
      if (fd !== start.fd) libc.close(fd);
      if (opened < 0) throw new SystemError(errno, "open", pathOf(start, path.subarray(0, end)));
      fd = opened;
      from = end;
      while (path[from] === SLASH) from++;
    }
    return fd;
  }

  /** The end of a piece that begins at `from`: whole components, at most PATH_BYTES_MAX bytes. */
  function pieceEnd(path: Uint8Array, from: number): number {
    if (path.length - from <= PATH_BYTES_MAX) return path.length;
    const end = path.lastIndexOf(SLASH, from + PATH_BYTES_MAX);
    return end > from ? end : path.length;
  }

  function componentEnd(path: Uint8Array, from: number): number {
    const end = path.indexOf(SLASH, from);
    return end < 0 ? path.length : end;
  }

  function openDirectory(path: Uint8Array): Handle {
    const start: Handle = { fd: AT_FDCWD, path: Buffer.alloc(0) };
    if (path.length === 0) throw new SystemError(Errno.ENOENT, "open", path);
    const flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    const fd = descend(
      start,
      path,
      (from) => pieceEnd(path, from),
      (at, piece) => openQuietly(at, calls.text(piece), flags),
    );
    return { fd, path: Buffer.from(path) };
  }

  function openDirectoryAt(directory: Handle, relative: Uint8Array): Handle {
    const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if (!relative.includes(SLASH)) {
      const fd = openQuietly(directory.fd, calls.name(relative, directory, "open"), flags);
      return { fd: calls.check(fd, "open", directory, relative), path: pathOf(directory, relative) };
    }
    for (let from = 0; from <= relative.length; from = componentEnd(relative, from) + 1) {
      checkName(relative.subarray(from, componentEnd(relative, from)), directory, "open");
    }
    const byComponent = () =>
      descend(
        directory,
        relative,
        (from) => componentEnd(relative, from),
        (at, name) => openQuietly(at, calls.text(name), flags),
      );
    let fd: number;
    if (!openat2Works) fd = byComponent();
    else {
      try {
        fd = descend(
          directory,
          relative,
          (from) => pieceEnd(relative, from),
          (at, piece) => openBeneath(at, calls.text(piece)),
        );
      } catch (error) {
        // Kernels before 5.6 do not know openat2, and some sandboxes refuse what they do not know.
        if (!(error instanceof SystemError) || (error.errno !== Errno.ENOSYS && error.errno !== Errno.EPERM))
          throw error;
        openat2Works = false;
        fd = byComponent();
      }
    }
    return { fd, path: pathOf(directory, relative) };
  }

  function openRegular(directory: Handle, name: Uint8Array, flags: number): Handle {
    const all = flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    const address = calls.name(name, directory, "open");
    const fd =
      flags === O_RDONLY
        ? openQuietly(directory.fd, address, all)
        : libc.openat(directory.fd, address, all, 0);
    calls.check(fd, "open", directory, name);
    const handle = { fd, path: pathOf(directory, name) };
    const looked = libc.statx(fd, calls.text(SELF), AT_EMPTY_PATH, STATX_TYPE, fields.address);
    const regular = looked === 0 && (fields.view.getUint16(MODE_WORD_OFFSET, true) & TYPE_MASK) === REGULAR;
    if (!regular) {
      libc.close(fd);
      throw new SystemError(Errno.EINVAL, "open", handle.path);
    }
    return handle;
  }

  return {
    openDirectory,
    openDirectoryAt,
    openFile: (directory, name) => openRegular(directory, name, O_RDONLY),
    openFileForUpdate: (directory, name) => openRegular(directory, name, O_RDWR),
    createFile(directory, name, mode) {
      const flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC;
      const fd = libc.openat(directory.fd, calls.name(name, directory, "open"), flags, mode);
      return { fd: calls.check(fd, "open", directory, name), path: pathOf(directory, name) };
    },
    close(handle) {
      // Linux frees the descriptor even when close reports an error, so only a bad descriptor (our bug) is left to tell.
      calls.check(libc.close(handle.fd), "close", handle, SELF);
    },
  };
}
