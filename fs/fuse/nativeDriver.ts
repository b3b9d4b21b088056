// The second FUSE driver: `fuse-native` (libfuse 2 with callbacks by path). For systems where the
// kernel driver cannot be used, such as macOS, or Linux users without root.
//
// What it cannot do, by its API: names that are not UTF-8 (left out of directories), times finer than a
// millisecond or before 1970, ACLs that are enforced, ERANGE for a list of attributes (EIO instead), inode numbers beyond 32 bits, readdirplus, SEEK_DATA, interrupts, and directories larger than
// memory (it wants all names at once). On Linux it comes with a libfuse 2 for x64, which is loaded first because its file has a name
// that the loader does not look for; elsewhere it needs Debian's libfuse2. Users other than root need a `fusermount` (package fuse3).

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import type * as Koffi from "koffi";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { View, ViewNode } from "../view/view.ts";
import type { FuseDriver, FuseMountOptions, Mounted } from "./driver.ts";
import { ENOATTR, errnoFailure, errnoOf } from "./errno.ts";
import { detach } from "./kernel/mountHelper.ts";
import { deviceNumber, modeOf } from "./kernel/reply.ts";
import { groupRights } from "./kernel/xattrs.ts";
import { MOUNT_SUBTYPE, mountAt, prepareMountpoint } from "./mountTable.ts";

type Callback = (status: number, ...results: unknown[]) => void;
type Operations = Record<string, (...args: never[]) => void>;
type NativeMount = {
  mount(done: (error: Error | null) => void): void;
  unmount(done: (error: Error | null) => void): void;
};
type NativeClass = new (mountpoint: string, operations: Operations, options: object) => NativeMount;

const PAGE_ROWS = 1024;
const ROWS_MAX = 1_000_000;
const CLOSED_CHECK_MS = 1_000;

/** The fuse-native driver. It is loaded at the first mount, since it is an optional dependency. */
export const nativeDriver: FuseDriver = { name: "fuse-native", mount };

async function mount(view: View, mountpoint: string, options: FuseMountOptions): Promise<Mounted> {
  const Fuse = load();
  const path = await prepareMountpoint(mountpoint, (dead) => detach(dead, true));
  // It unmounts by a shell command with the path between double quotes.
  if (/["$`\\!\n]/.test(path)) {
    throw new HoldfastError(
      ErrorCode.mountFailed,
      "fuse-native cannot mount at a path with quotes, $, ` or \\",
      {
        next: "Choose another directory, or use --driver kernel.",
      },
    );
  }
  const native = new Fuse(path, operations(view, options), {
    allowOther: options.allowOther ?? false,
    defaultPermissions: true,
    // It has no option for a read-only mount; this one is passed on as it is.
    fsname: `${MOUNT_SUBTYPE},ro`,
    subtype: MOUNT_SUBTYPE,
    maxRead: 131_072,
    // Its own 15 s limit would turn a slow replica into an error.
    timeout: false,
  });
  await called((done) => native.mount(done)).catch((error: Error) => {
    throw new HoldfastError(ErrorCode.mountFailed, `fuse-native cannot mount at ${path}: ${error.message}`, {
      next: "Check that fusermount (package fuse3) is installed and that /dev/fuse may be opened.",
      cause: error,
    });
  });
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  // libfuse does not tell us when somebody else unmounts the drive.
  const watch = setInterval(() => {
    void mountAt(path).then((row) => {
      if (row === undefined) finish();
    });
  }, CLOSED_CHECK_MS);
  const finish = (): void => {
    clearInterval(watch);
    resolve();
  };
  let ending: Promise<void> | undefined;
  const end = async (): Promise<void> => {
    if ((await mountAt(path)) !== undefined) await called((done) => native.unmount(done));
    finish();
  };
  const unmount = (): Promise<void> => {
    ending ??= end();
    return ending;
  };
  return { mountpoint: path, unmount, closed };
}

function load(): NativeClass {
  const require = createRequire(import.meta.url);
  try {
    const own = join(
      dirname(require.resolve("fuse-native")),
      "prebuilds",
      `linux-${process.arch}`,
      "libfuse.so",
    );
    // What is loaded under the soname libfuse.so.2 is what the add-on then gets.
    if (process.platform === "linux" && existsSync(own)) {
      (require("koffi") as typeof Koffi).load(own);
    }
    return require("fuse-native") as NativeClass;
  } catch (error) {
    const reason = (error as Error).message.split("\n")[0];
    throw new HoldfastError(ErrorCode.mountFailed, `the fuse-native driver cannot be loaded: ${reason}`, {
      next: "Install libfuse 2 (apt-get install libfuse2) and npm's optional dependencies, or use --driver kernel.",
      cause: error,
    });
  }
}

function called(start: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    start((error) => (error === null || error === undefined ? resolve() : reject(error)));
  });
}

function operations(view: View, options: FuseMountOptions): Operations {
  /** Answers with what `work` returns, or with a negative errno. */
  const answer = (done: Callback, work: () => Promise<unknown[]>): void => {
    work().then(
      (results) => done(0, ...results),
      (error: unknown) => {
        const status = errnoOf(error);
        if (status === constants.errno.EIO)
          options.logger.error({ err: error }, "reading from the drive failed");
        done(-status);
      },
    );
  };
  const found = (path: string): Promise<ViewNode> => resolvePath(view, path);
  return {
    getattr: (path: string, done: Callback) =>
      answer(done, async () => {
        const node = await found(path);
        const mode = options.allowOther === true ? await modeWithoutAcl(view, node) : modeOf(node.attributes);
        return [{ ...statOf(node, options.asUser), mode }];
      }),
    readdir: (path: string, done: Callback) =>
      answer(done, async () => [await names(view, await found(path))]),
    readlink: (path: string, done: Callback) =>
      answer(done, async () => [Buffer.from(await view.readlink(await found(path))).toString("utf8")]),
    open: (path: string, _flags: number, done: Callback) =>
      answer(done, async () => {
        await found(path);
        return [0];
      }),
    read: (path: string, _handle: number, out: Buffer, length: number, offset: number, done: Callback) => {
      // A read answers with its length in place of the status.
      const work = async (): Promise<number> => {
        const data = await view.read(await found(path), BigInt(offset), length);
        out.set(data);
        return data.length;
      };
      work().then(
        (bytes) => (done as (status: number, bytes: number) => void)(bytes, bytes),
        (error: unknown) => answer(done, () => Promise.reject(error)),
      );
    },
    getxattr: (path: string, name: string, _position: number, done: Callback) =>
      answer(done, async () => {
        const value = (await view.xattrs(await found(path))).get(Buffer.from(name).toString("latin1"));
        if (value === undefined) throw errnoFailure(ENOATTR);
        return [Buffer.from(value)];
      }),
    listxattr: (path: string, done: Callback) =>
      answer(done, async () => {
        const names = [...(await view.xattrs(await found(path))).keys()];
        return [names.map((name) => Buffer.from(name, "latin1").toString())];
      }),
    statfs: (_path: string, done: Callback) =>
      answer(done, async () => {
        const { totalBytes, nodes } = await view.statistics();
        const blocks = Math.min(Number(totalBytes / 4096n), 0xffffffff);
        return [
          { bsize: 4096, frsize: 4096, blocks, files: Math.min(Number(nodes), 0xffffffff), namemax: 255 },
        ];
      }),
  };
}

async function resolvePath(view: View, path: string): Promise<ViewNode> {
  let node: ViewNode | undefined = view.root;
  for (const name of path.split("/")) {
    if (name === "") continue;
    node = await view.lookup(node, Buffer.from(name));
    if (node === undefined) throw errnoFailure(constants.errno.ENOENT);
  }
  return node;
}

async function names(view: View, directory: ViewNode): Promise<string[]> {
  const found: string[] = [];
  for (let from: bigint | undefined = 0n; from !== undefined && found.length < ROWS_MAX; ) {
    const page = await view.readPage(directory, from, PAGE_ROWS);
    for (const { name } of page.rows) {
      const bytes = Buffer.from(name);
      const text = bytes.toString("utf8");
      if (Buffer.from(text).equals(bytes)) found.push(text);
    }
    from = page.next;
  }
  return found;
}

/**
 * The mode that says what the owning group may do. Beside an ACL the group's bits are its mask, which may be wider, and the kernel
 * enforces no ACLs here.
 */
async function modeWithoutAcl(view: View, node: ViewNode): Promise<number> {
  const mode = modeOf(node.attributes);
  const acl = (await view.xattrs(node)).get("system.posix_acl_access");
  return acl === undefined ? mode : mode & (~0o070 | (groupRights(acl) << 3));
}

function statOf({ attributes }: ViewNode, owner: FuseMountOptions["asUser"]): object {
  // It takes a negative number for a very large one.
  const milliseconds = (ns: bigint): number => Math.max(0, Number(ns / 1_000_000n));
  return {
    uid: (owner ?? attributes).uid,
    gid: (owner ?? attributes).gid,
    size: Number(attributes.size),
    nlink: attributes.linkCount,
    ino: Number(BigInt.asUintN(32, attributes.inode)),
    rdev: deviceNumber(attributes.deviceMajor, attributes.deviceMinor),
    blksize: 4096,
    blocks: Number((attributes.allocatedBytes + 511n) / 512n),
    atime: milliseconds(attributes.mtimeNs),
    mtime: milliseconds(attributes.mtimeNs),
    ctime: milliseconds(attributes.ctimeNs),
  };
}
