// How the fallback platform opens things and turns (handle, name) into a path that node:fs takes.

import * as fs from "node:fs";
import { checkName, pathOf } from "./entryName.ts";
import type { Handle } from "./port.ts";
import { asSystemError, Errno, SystemError } from "./systemError.ts";

const SLASH = 0x2f;
/** What one call takes, less the longest prefix that is put before it. */
const PIECE_BYTES_MAX = 4000;
// Linux only, where /proc is; elsewhere never used.
const O_PATH = 0o10000000;

export type PortablePaths = {
  readonly descriptorRelative: boolean;
  /** A path for node:fs; its last component is a name of `handle`, which no call may follow. */
  reach(handle: Handle, name: Uint8Array): Buffer;
  /** A path for node:fs to the object behind a directory's handle. */
  reachSelf(handle: Handle): Buffer;
  /** The path for messages. */
  shown(handle: Handle, name: Uint8Array): Buffer;
  /** Calls with a path to the object at `path` that stays with that object even if its name is given to a link. */
  withPinned(path: Buffer, call: (pinned: Buffer) => void): void;
  openDirectory(path: Uint8Array): Handle;
  openDirectoryAt(directory: Handle, relative: Uint8Array): Handle;
  openRegular(directory: Handle, name: Uint8Array, flags: number): Handle;
};

/** Paths for this machine; looks once whether /proc can be used. */
export function createPortablePaths(): PortablePaths {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  const proc = fs.existsSync("/proc/self/fd");

  const procPath = (fd: number) => Buffer.from(`/proc/self/fd/${fd}`, "latin1");
  const base = (handle: Handle) => (proc ? procPath(handle.fd) : handle.path);
  const join = (parent: Buffer, name: Uint8Array) => Buffer.concat([parent, Buffer.from("/"), name]);

  function reach(handle: Handle, name: Uint8Array): Buffer {
    checkName(name, handle, "path");
    return join(base(handle), name);
  }

  /** Opens piece after piece; `end` finds the end of the piece that begins at an offset. */
  function descend(
    start: Handle | undefined,
    path: Buffer,
    flags: number,
    end: (from: number) => number,
  ): number {
    let fd = -1;
    for (let from = 0; from < path.length; ) {
      const to = end(from);
      const parent = fd >= 0 ? procPath(fd) : start === undefined ? undefined : base(start);
      const done = path.subarray(0, to);
      const piece = proc ? path.subarray(from, to) : done;
      const before = fd;
      try {
        fd = asSystemError(
          () => (start === undefined ? done : pathOf(start, done)),
          () =>
            fs.openSync(
              parent === undefined || (!proc && start === undefined) ? piece : join(parent, piece),
              flags,
            ),
        );
      } finally {
        if (before >= 0) fs.closeSync(before);
      }
      from = to;
      while (path[from] === SLASH) from++;
    }
    return fd;
  }

  return {
    descriptorRelative: proc,
    reach,
    reachSelf: base,
    shown: pathOf,
    withPinned(path, call) {
      if (!proc) {
        call(path);
        return;
      }
      const fd = fs.openSync(path, O_PATH | O_NOFOLLOW);
      try {
        call(procPath(fd));
      } finally {
        fs.closeSync(fd);
      }
    },
    openDirectory(path) {
      const bytes = Buffer.from(path);
      if (bytes.length === 0) throw new SystemError(Errno.ENOENT, "open", bytes);
      const fd = descend(undefined, bytes, O_RDONLY | O_DIRECTORY, (from) => {
        if (!proc || bytes.length - from <= PIECE_BYTES_MAX) return bytes.length;
        const slash = bytes.lastIndexOf(SLASH, from + PIECE_BYTES_MAX);
        return slash > from ? slash : bytes.length;
      });
      return { fd, path: bytes };
    },
    openDirectoryAt(directory, relative) {
      const bytes = Buffer.from(relative);
      const componentEnd = (from: number) => {
        const slash = bytes.indexOf(SLASH, from);
        return slash < 0 ? bytes.length : slash;
      };
      for (let from = 0; from <= bytes.length; from = componentEnd(from) + 1) {
        checkName(bytes.subarray(from, componentEnd(from)), directory, "open");
      }
      const fd = descend(directory, bytes, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, componentEnd);
      return { fd, path: pathOf(directory, bytes) };
    },
    openRegular(directory, name, flags) {
      const shown = pathOf(directory, name);
      const fd = asSystemError(
        () => shown,
        () => fs.openSync(reach(directory, name), flags | O_NOFOLLOW | O_NONBLOCK),
      );
      if (!fs.fstatSync(fd).isFile()) {
        fs.closeSync(fd);
        throw new SystemError(Errno.EINVAL, "open", shown);
      }
      return { fd, path: shown };
    },
  };
}
