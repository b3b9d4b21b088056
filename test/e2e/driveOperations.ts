// A process that asks a tree and a drive of it the same random questions, and tries to change the drive, as one user:
//   node driveOperations.ts TREE DRIVE SEED COUNT UID
// Prints one JSON line: how often each operation was tried, and every answer that was not as it should be. It is a process of its own
// because it asks by calls that do not return before the drive has answered, and because it becomes another user.

import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { getSystemErrorMap } from "node:util";
import koffi from "koffi";
import { type Random, randomFrom } from "../fidelity/random.ts";

const O = fs.constants;
const [SEEK_DATA, SEEK_HOLE] = [3, 4];
const pathBytesMax = 3000;

const [tree = "", drive = "", seed = "", count = "", uid = ""] = process.argv.slice(2);
const random: Random = randomFrom(Number(seed));
const pick = <T>(list: readonly T[]): T => list[random.below(list.length)] as T;

const libc = koffi.load(null);
type Call = (...args: unknown[]) => number | bigint;
const call = (signature: string): Call => {
  const made = libc.func(signature) as unknown as Call;
  const { errno } = koffi;
  return (...args) => {
    const result = made(...args);
    // At once (agent/platform/notedErrno.ts).
    if (result < 0) failed = errno();
    return result;
  };
};
let failed = 0;
const llistxattr = call("int64 llistxattr(const uint8_t *, uint8_t *, size_t)");
const lgetxattr = call("int64 lgetxattr(const uint8_t *, const uint8_t *, uint8_t *, size_t)");
const lsetxattr = call("int lsetxattr(const uint8_t *, const uint8_t *, uint8_t *, size_t, int)");
const lremovexattr = call("int lremovexattr(const uint8_t *, const uint8_t *)");
const lseek = call("int64 lseek(int, int64, int)");
const mknod = call("int mknod(const uint8_t *, uint, uint64)");

const codes = new Map([...getSystemErrorMap()].map(([number, [name]]) => [-number, name]));
/** What a call of libc gave, as text. */
function checked(result: number | bigint): number {
  if (Number(result) >= 0) return Number(result);
  const error = new Error() as NodeJS.ErrnoException;
  error.code = codes.get(failed) ?? String(failed);
  throw error;
}
const zeroed = (path: Buffer): Buffer => Buffer.concat([path, Buffer.from([0])]);

type Place = { readonly below: Buffer; readonly kind: string };

/** Everything below the tree that a path reaches. */
function* places(below: Buffer): Generator<Place> {
  for (const row of fs.readdirSync(at(tree, below), { withFileTypes: true, encoding: "buffer" })) {
    const path = Buffer.concat([below, Buffer.from("/"), row.name]);
    if (path.length > pathBytesMax) continue;
    const kind = row.isDirectory() ? "d" : row.isFile() ? "f" : row.isSymbolicLink() ? "l" : "s";
    yield { below: path, kind };
    if (kind === "d") yield* places(path);
  }
}

function at(root: string, below: Buffer): Buffer {
  return Buffer.concat([Buffer.from(root), below]);
}

/** What `work` gives, or the name of its error. */
function outcome(work: () => unknown): string {
  try {
    const value = work();
    return typeof value === "string" ? value : JSON.stringify(value ?? "done");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code ?? message;
  }
}

function withFile<T>(path: Buffer, flags: number, work: (fd: number) => T): T {
  const fd = fs.openSync(path, flags | O.O_NONBLOCK);
  try {
    return work(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function statText(stats: fs.BigIntStats): string {
  const { mode, uid, gid, rdev, mtimeNs, ctimeNs, size, nlink } = stats;
  const own = stats.isDirectory() ? [] : [size, nlink];
  return [mode.toString(8), uid, gid, rdev, mtimeNs, ctimeNs, ...own].join(" ");
}

/** An offset in or around a file: near its ends, at a boundary of a block, or anywhere. */
function offsetIn(size: number): number {
  const place = pick([
    0,
    size,
    random.below(2 ** 32) % (size + 1),
    Math.floor((size / 2 ** 32) * random.below(2 ** 32)),
  ]);
  return Math.max(0, pick([place, place - (place % 4096), place + random.below(5000) - 2500]));
}

type Question = (path: Buffer) => unknown;

/** Questions whose answers must be equal. Each draws its parameters once, for both sides. */
const questions: Readonly<Record<string, (place: Place, size: number) => Question>> = {
  lstat: () => (path) => statText(fs.lstatSync(path, { bigint: true })),
  stat: () => (path) => statText(fs.statSync(path, { bigint: true })),
  fstat: () => (path) => withFile(path, O.O_RDONLY, (fd) => statText(fs.fstatSync(fd, { bigint: true }))),
  readdir: () => (path) =>
    fs
      .readdirSync(path, { withFileTypes: true, encoding: "buffer" })
      .map(
        (row) =>
          `${row.name.toString("latin1")} ${row.isDirectory()} ${row.isFile()} ${row.isFIFO()} ${row.isSocket()}`,
      )
      .sort(),
  readlink: () => (path) => fs.readlinkSync(path, { encoding: "latin1" }),
  read: (_, size) => {
    const offset = offsetIn(size);
    const length = pick([0, 1, 511, 4096, 4097, 65_536, 1_048_576, 3_000_000]);
    return (path) =>
      withFile(path, O.O_RDONLY, (fd) => {
        const bytes = Buffer.alloc(length);
        const read = fs.readSync(fd, bytes, 0, length, offset);
        return `${read} ${createHash("sha1").update(bytes).digest("hex")}`;
      });
  },
  seek: (_, size) => {
    const [offset, whence] = [offsetIn(size), pick([SEEK_DATA, SEEK_HOLE])];
    return (path) => withFile(path, O.O_RDONLY, (fd) => checked(lseek(fd, offset, whence)));
  },
  open: () => {
    const flags = pick([O.O_NOFOLLOW, O.O_DIRECTORY, O.O_NOATIME, O.O_DIRECTORY | O.O_NOFOLLOW]);
    return (path) => withFile(path, flags, () => "opened");
  },
  access: () => {
    const mode = pick([O.F_OK, O.R_OK, O.X_OK, O.R_OK | O.X_OK]);
    return (path) => fs.accessSync(path, mode);
  },
  listxattr: () => {
    const room = pick([0, 1, 16, 65_536]);
    return (path) => {
      const names = Buffer.alloc(room);
      const length = checked(llistxattr(zeroed(path), names, room));
      return `${length} ${names.subarray(0, length).toString("latin1").split("\0").sort().join()}`;
    };
  },
  getxattr: (place) => {
    const known = Buffer.alloc(65_536);
    const length = Number(llistxattr(zeroed(at(tree, place.below)), known, known.length));
    const names = known
      .subarray(0, Math.max(0, length))
      .toString("latin1")
      .split("\0")
      .filter((name) => name !== "");
    const name = pick([...names, ...names, ...names, "user.none", "trusted.none", "system.posix_acl_access"]);
    const room = pick([0, 1, 4, 65_536]);
    return (path) => {
      const value = Buffer.alloc(room);
      const read = checked(lgetxattr(zeroed(path), Buffer.from(`${name}\0`, "latin1"), value, room));
      return `${name} ${read} ${value.toString("base64").slice(0, 4000)}`;
    };
  },
};

/** Changes, all of which a place that can be seen must refuse with EROFS and nothing else. */
const changes: Readonly<Record<string, (path: Buffer, beside: Buffer, kind: string) => unknown>> = {
  write: (path, _, kind) =>
    kind === "f"
      ? withFile(
          path,
          pick([
            O.O_WRONLY,
            O.O_RDWR,
            O.O_WRONLY | O.O_TRUNC,
            O.O_RDONLY | O.O_TRUNC,
            O.O_WRONLY | O.O_APPEND,
          ]),
          () => 0,
        )
      : fs.unlinkSync(path),
  create: (_, beside) =>
    withFile(beside, O.O_CREAT | pick([O.O_RDONLY, O.O_WRONLY, O.O_RDWR | O.O_EXCL]), () => 0),
  mkdir: (_, beside) => fs.mkdirSync(beside),
  unlink: (path) => fs.unlinkSync(path),
  rmdir: (path) => fs.rmdirSync(path),
  rename: (path, beside) => fs.renameSync(path, beside),
  renameOver: (path, beside) => fs.renameSync(beside, path),
  chmod: (path, beside, kind) => (kind === "l" ? fs.symlinkSync("x", beside) : fs.chmodSync(path, 0o600)),
  chown: (path) => fs.lchownSync(path, 1, 1),
  utimes: (path) => fs.lutimesSync(path, 1, 1),
  truncate: (path, beside, kind) => (kind === "f" ? fs.truncateSync(path, 0) : fs.mkdirSync(beside)),
  fchmod: (path, beside, kind) =>
    kind === "d" ? withFile(path, O.O_RDONLY, (fd) => fs.fchmodSync(fd, 0o777)) : fs.mkdirSync(beside),
  link: (path, beside) => fs.linkSync(path, beside),
  symlink: (_, beside) => fs.symlinkSync("target", beside),
  fifo: (_, beside) => checked(mknod(zeroed(beside), 0o010644, 0)),
  mknod: (_, beside) => checked(mknod(zeroed(beside), 0o100644, 0)),
  setxattr: (path) =>
    checked(lsetxattr(zeroed(path), Buffer.from("security.note\0"), Buffer.from("x"), 1, 0)),
  removexattr: (path) => checked(lremovexattr(zeroed(path), Buffer.from("security.note\0"))),
  accessWrite: (path) => fs.accessSync(path, O.W_OK),
};
/** These ask for rights before they ask whether the file system is read-only, or look at the kind first. */
const refusals: Readonly<Record<string, readonly string[]>> = {
  fchmod: ["EACCES"],
  link: ["EPERM", "EACCES"],
  create: ["EACCES"],
};

const all = [...places(Buffer.alloc(0))].sort((a, b) => Buffer.compare(a.below, b.below));
/** By the top folder, so that a large one is not asked for more than the others. */
const parts = [...Map.groupBy(all, ({ below }) => below.toString("latin1").split("/")[1]).values()];
process.setgroups?.([]);
process.setegid?.(Number(uid));
process.seteuid?.(Number(uid));

const tried: Record<string, number> = {};
const wrong: string[] = [];
const report = (name: string, path: Buffer, what: string): void => {
  if (wrong.length < 50)
    wrong.push(`${name} ${JSON.stringify(path.toString("latin1").slice(-120))}: ${what.slice(0, 400)}`);
};

/** A place that is there, or one that is not: below a file, with a name too long, with one more letter. */
function place(): Place {
  const there = pick(pick(parts));
  if (random.below(8) > 0) return there;
  const name = pick(["/none", "x", "/", "/.", "/..", `/${"n".repeat(255)}`, "/a/b"]);
  return { below: Buffer.concat([there.below, Buffer.from(name)]), kind: "?" };
}

for (let round = 0; round < Number(count); round++) {
  const { below, kind } = place();
  const here = at(tree, below);
  const there = at(drive, below);
  // What leads out of the tree leads elsewhere from the drive.
  const leadsOut = below.toString("latin1").includes("/up");
  if (leadsOut) continue;
  if (random.below(3) > 0 || kind === "?") {
    const name = pick(Object.keys(questions));
    // Devices can be opened in one and must not be in the other.
    const opens = ["read", "seek", "open", "fstat"].includes(name);
    if (kind === "s" && opens) continue;
    // Positions in directories are the file system's own.
    if (kind !== "f" && name === "seek") continue;
    const size = kind === "f" ? Number(outcome(() => fs.lstatSync(here).size)) || 0 : 0;
    const question = questions[name]?.({ below, kind }, size) as Question;
    const [expected, found] = [outcome(() => question(here)), outcome(() => question(there))];
    tried[name] = (tried[name] ?? 0) + 1;
    if (expected !== found) report(name, below, `${found} in place of ${expected}`);
  } else {
    if (outcome(() => fs.lstatSync(there) && "there") !== "there") continue;
    const name = pick(Object.keys(changes));
    // Writing to a device or a pipe changes no file system.
    if (name === "accessWrite" && kind !== "f" && kind !== "d") continue;
    const beside = Buffer.concat([there.subarray(0, there.lastIndexOf(0x2f)), Buffer.from("/new name")]);
    const found = outcome(() => changes[name]?.(there, beside, kind));
    tried[name] = (tried[name] ?? 0) + 1;
    if (found !== "EROFS" && (uid === "0" || refusals[name]?.includes(found) !== true))
      report(name, below, found);
  }
}
process.stdout.write(`${JSON.stringify({ tried, wrong })}\n`);
