// The platform without native code: node:fs alone. For systems other than 64-bit Linux, and as a way out where the
// native code cannot be loaded. What it cannot do is in its `capabilities`.
//
// Where /proc is there, names are reached through /proc/self/fd/N/name, which gives the same guarantees as directory
// descriptors. Elsewhere they are joined to the path, so very long paths fail and a link planted in a parent directory
// is followed; `descriptorRelative` says so.

import * as fs from "node:fs";
import type { Handle, Platform } from "./port.ts";
import { portableMachine } from "./portableMachine.ts";
import { createPortablePaths, type PortablePaths } from "./portablePaths.ts";
import { portableReading } from "./portableReading.ts";
import { asSystemError, Errno, SystemError } from "./systemError.ts";

type Writing = Omit<
  Platform,
  "capabilities" | keyof ReturnType<typeof portableReading> | keyof ReturnType<typeof portableMachine>
>;

/** Makes the fallback platform. */
export function createPortablePlatform(): Platform {
  const paths = createPortablePaths();
  return {
    capabilities: {
      name: "portable",
      xattrs: false,
      specialFiles: false,
      holes: false,
      nanosecondTimes: false,
      descriptorRelative: paths.descriptorRelative,
      mountIds: false,
    },
    ...portableReading(paths),
    ...portableWriting(paths),
    ...portableMachine(),
  };
}

function unsupported(syscall: string, handle: Handle): never {
  throw new SystemError(Errno.ENOTSUP, syscall, handle.path);
}

/** Runs a call of node:fs on (handle, name) and gives its failure the path as bytes. */
function on<T>(paths: PortablePaths, handle: Handle, name: Uint8Array, call: (path: Buffer) => T): T {
  return asSystemError(
    () => paths.shown(handle, name),
    () => call(paths.reach(handle, name)),
  );
}

function portableWriting(paths: PortablePaths): Writing {
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW } = fs.constants;
  return {
    createFile(directory, name, mode) {
      const fd = on(paths, directory, name, (path) =>
        fs.openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode),
      );
      return { fd, path: paths.shown(directory, name) };
    },
    openFileForUpdate: (directory, name) => paths.openRegular(directory, name, O_RDWR),
    makeDirectory: (directory, name, mode) =>
      on(paths, directory, name, (path) => fs.mkdirSync(path, { mode })),
    makeSymlink: (directory, name, target) =>
      on(paths, directory, name, (path) => fs.symlinkSync(Buffer.from(target), path)),
    makeFifo: (directory) => unsupported("mknod", directory),
    makeDevice: (directory) => unsupported("mknod", directory),
    makeLink(from, fromName, directory, name) {
      const source = paths.reach(from, fromName);
      on(paths, directory, name, (path) => fs.linkSync(source, path));
    },
    rename(from, fromName, to, toName, keep = false) {
      const source = paths.reach(from, fromName);
      on(paths, to, toName, (path) => {
        // Not atomic: node:fs has no rename that refuses to replace.
        if (keep && fs.lstatSync(path, { throwIfNoEntry: false }) !== undefined) {
          throw new SystemError(Errno.EEXIST, "rename", paths.shown(to, toName));
        }
        fs.renameSync(source, path);
      });
    },
    removeFile: (directory, name) => on(paths, directory, name, (path) => fs.unlinkSync(path)),
    removeDirectory: (directory, name) => on(paths, directory, name, (path) => fs.rmdirSync(path)),
    write(file, source, position) {
      asSystemError(
        () => file.path,
        () => {
          for (let done = 0; done < source.length; ) {
            done += fs.writeSync(file.fd, source, done, source.length - done, position + done);
          }
        },
      );
    },
    setSize(file, size) {
      if (size > Number.MAX_SAFE_INTEGER) throw new SystemError(Errno.EFBIG, "ftruncate", file.path);
      asSystemError(
        () => file.path,
        () => fs.ftruncateSync(file.fd, size),
      );
    },
    punchHole: () => false,
    setOwner(handle, name, uid, gid) {
      asSystemError(
        () => paths.shown(handle, name),
        () =>
          name.length === 0
            ? fs.fchownSync(handle.fd, uid, gid)
            : fs.lchownSync(paths.reach(handle, name), uid, gid),
      );
    },
    setMode(handle, name, mode) {
      if (name.length === 0) {
        asSystemError(
          () => handle.path,
          () => fs.fchmodSync(handle.fd, mode),
        );
        return;
      }
      // chmod follows links, so it is pointed at a descriptor that cannot be one; without /proc a look first must do.
      on(paths, handle, name, (path) => {
        if (fs.lstatSync(path).isSymbolicLink())
          throw new SystemError(Errno.ENOTSUP, "chmod", paths.shown(handle, name));
        paths.withPinned(path, (pinned) => fs.chmodSync(pinned, mode));
      });
    },
    setTimes(handle, name, accessNs, modifiedNs) {
      asSystemError(
        () => paths.shown(handle, name),
        () => {
          const self = name.length === 0;
          const path = self ? undefined : paths.reach(handle, name);
          const keep = () =>
            (path === undefined
              ? fs.fstatSync(handle.fd, { bigint: true })
              : fs.lstatSync(path, { bigint: true })
            ).atimeNs;
          // As strings: Node takes a negative number for "now", a string for what it says.
          const access = String(Number(accessNs ?? keep()) / 1e9);
          const modified = String(Number(modifiedNs) / 1e9);
          if (path === undefined) fs.futimesSync(handle.fd, access, modified);
          else fs.lutimesSync(path, access, modified);
        },
      );
    },
    setXattr: (handle) => unsupported("setxattr", handle),
    removeXattr: (handle) => unsupported("removexattr", handle),
    sync: (handle) =>
      asSystemError(
        () => handle.path,
        () => fs.fsyncSync(handle.fd),
      ),
  };
}
