// Making, changing and removing things on Linux, all relative to a directory's descriptor.

import { fsyncSync, ftruncateSync, writeSync } from "node:fs";
import { Syscall } from "./libc.ts";
import type { LinuxCalls } from "./linuxCalls.ts";
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW } from "./linuxCalls.ts";
import { lastErrno } from "./notedErrno.ts";
import { type Platform, SELF } from "./port.ts";
import { asSystemError, Errno, SystemError } from "./systemError.ts";

const AT_REMOVEDIR = 0x200;
const RENAME_NOREPLACE = 1;
const UTIME_OMIT = 0x3fff_fffen;
const NS = 1_000_000_000n;
const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;
/** What file systems and kernels without it say. */
const cannotPunch: ReadonlySet<number> = new Set([Errno.ENOTSUP, Errno.ENOSYS]);

const S_IFIFO = 0o010000;
const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;

type Writing = Pick<
  Platform,
  | "makeDirectory"
  | "makeSymlink"
  | "makeFifo"
  | "makeDevice"
  | "makeLink"
  | "rename"
  | "removeFile"
  | "removeDirectory"
  | "write"
  | "setSize"
  | "punchHole"
  | "setOwner"
  | "setMode"
  | "setTimes"
  | "sync"
>;

/** The 64-bit dev_t of glibc and the kernel, exact in a double for every major and minor that Linux has (12 and 20 bits). */
function deviceNumber(major: number, minor: number): number {
  return (major >>> 12) * 2 ** 44 + (minor >>> 8) * 2 ** 20 + ((major & 0xfff) << 8) + (minor & 0xff);
}

export function linuxWriting(calls: LinuxCalls): Writing {
  const { libc, fields } = calls;

  function setTimespec(at: number, ns: bigint): void {
    const nanos = ((ns % NS) + NS) % NS;
    fields.view.setBigInt64(at, (ns - nanos) / NS, true);
    fields.view.setBigInt64(at + 8, nanos, true);
  }

  return {
    makeDirectory(directory, name, mode) {
      calls.check(
        libc.mkdirat(directory.fd, calls.name(name, directory, "mkdir"), mode),
        "mkdir",
        directory,
        name,
      );
    },

    makeSymlink(directory, name, target) {
      const address = calls.name(name, directory, "symlink");
      calls.check(libc.symlinkat(calls.text(target), directory.fd, address), "symlink", directory, name);
    },

    makeFifo(directory, name, mode) {
      const result = libc.mknodat(directory.fd, calls.name(name, directory, "mknod"), S_IFIFO | mode, 0);
      calls.check(result, "mknod", directory, name);
    },

    makeDevice(directory, name, kind, mode, major, minor) {
      const type = kind === "blockDevice" ? S_IFBLK : S_IFCHR;
      const address = calls.name(name, directory, "mknod");
      const result = libc.mknodat(directory.fd, address, type | mode, deviceNumber(major, minor));
      calls.check(result, "mknod", directory, name);
    },

    makeLink(from, fromName, directory, name) {
      const source = calls.name(fromName, from, "link");
      const result = libc.linkat(from.fd, source, directory.fd, calls.secondName(name, directory, "link"), 0);
      calls.check(result, "link", directory, name);
    },

    rename(from, fromName, to, toName, keep = false) {
      const source = calls.name(fromName, from, "rename");
      const target = calls.secondName(toName, to, "rename");
      const flags = keep ? RENAME_NOREPLACE : 0;
      calls.check(
        libc.syscall(Syscall.renameat2, from.fd, source, to.fd, target, flags),
        "rename",
        to,
        toName,
      );
    },

    removeFile(directory, name) {
      const address = calls.name(name, directory, "unlink");
      calls.check(libc.unlinkat(directory.fd, address, 0), "unlink", directory, name);
    },

    removeDirectory(directory, name) {
      const address = calls.name(name, directory, "rmdir");
      calls.check(libc.unlinkat(directory.fd, address, AT_REMOVEDIR), "rmdir", directory, name);
    },

    write(file, source, position) {
      asSystemError(
        () => file.path,
        () => {
          for (let done = 0; done < source.length; ) {
            done += writeSync(file.fd, source, done, source.length - done, position + done);
          }
        },
      );
    },

    setSize(file, size) {
      if (size > Number.MAX_SAFE_INTEGER) throw new SystemError(Errno.EFBIG, "ftruncate", file.path);
      asSystemError(
        () => file.path,
        () => ftruncateSync(file.fd, size),
      );
    },

    punchHole(file, start, end) {
      const mode = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE;
      const result = libc.fallocate(file.fd, mode, start, end - start);
      if (result < 0 && cannotPunch.has(lastErrno())) return false;
      calls.check(result, "fallocate", file, SELF);
      return true;
    },

    setOwner(handle, name, uid, gid) {
      const flags = AT_SYMLINK_NOFOLLOW | (name.length === 0 ? AT_EMPTY_PATH : 0);
      const address = calls.nameOrSelf(name, handle, "chown");
      calls.check(libc.fchownat(handle.fd, address, uid, gid, flags), "chown", handle, name);
    },

    setMode(handle, name, mode) {
      const result =
        name.length === 0
          ? libc.fchmod(handle.fd, mode)
          : libc.fchmodat(handle.fd, calls.name(name, handle, "chmod"), mode, AT_SYMLINK_NOFOLLOW);
      calls.check(result, "chmod", handle, name);
    },

    setTimes(handle, name, accessNs, modifiedNs) {
      if (accessNs === undefined) {
        fields.view.setBigInt64(0, 0n, true);
        fields.view.setBigInt64(8, UTIME_OMIT, true);
      } else setTimespec(0, accessNs);
      setTimespec(16, modifiedNs);
      const result =
        name.length === 0
          ? libc.futimens(handle.fd, fields.address)
          : libc.utimensat(handle.fd, calls.name(name, handle, "utime"), fields.address, AT_SYMLINK_NOFOLLOW);
      calls.check(result, "utime", handle, name);
    },

    sync(handle) {
      asSystemError(
        () => handle.path,
        () => fsyncSync(handle.fd),
      );
    },
  };
}
