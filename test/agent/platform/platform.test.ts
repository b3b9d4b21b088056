// Every call of the platform port against a real file system, for both platforms.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLinuxPlatform } from "../../../agent/platform/linux.ts";
import { indexOfName, nameAt } from "../../../agent/platform/listing.ts";
import type { Handle, Platform } from "../../../agent/platform/port.ts";
import { SELF } from "../../../agent/platform/port.ts";
import { createPortablePlatform } from "../../../agent/platform/portable.ts";
import { selectPlatform } from "../../../agent/platform/select.ts";
import { CHANGE_MARK_WORDS, EntryKind, StatTable } from "../../../agent/platform/statTable.ts";
import { SystemError } from "../../../agent/platform/systemError.ts";

const isRoot = process.getuid?.() === 0;
const bytes = (text: string) => Buffer.from(text, "latin1");
const badName = Buffer.from([0xff, 0x0a, 0x80]);

function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (error instanceof SystemError) return error.code;
    throw error;
  }
  return "no error";
}

describe.each([
  ["linux", createLinuxPlatform],
  ["portable", createPortablePlatform],
] as const)("%s platform", (_, create) => {
  const platform: Platform = create();
  const can = platform.capabilities;
  const table = new StatTable(64);
  let root: string;
  let top: Handle;

  beforeEach(() => {
    root = fs.mkdtempSync(join(tmpdir(), "platform-"));
    top = platform.openDirectory(Buffer.from(root));
  });
  afterEach(() => {
    platform.close(top);
    fs.rmSync(root, { recursive: true, force: true });
  });

  function put(name: Uint8Array, content: string, mode = 0o644): void {
    const file = platform.createFile(top, name, mode);
    platform.write(file, Buffer.from(content), 0);
    platform.close(file);
  }

  test("lists names of any bytes, sorted, each with its kind", () => {
    put(badName, "x");
    put(bytes("b"), "x");
    put(Buffer.alloc(255, 0x61), "x");
    platform.makeDirectory(top, bytes("a"), 0o755);
    platform.makeSymlink(top, bytes("..."), bytes("nowhere"));
    const listing = platform.list(top);
    const seen = Array.from({ length: listing.count }, (_unused, index) => nameAt(listing, index));
    expect(seen).toEqual([bytes("..."), bytes("a"), Buffer.alloc(255, 0x61), bytes("b"), badName]);
    expect([...listing.kinds]).toEqual([
      EntryKind.symlink,
      EntryKind.directory,
      EntryKind.file,
      EntryKind.file,
      EntryKind.file,
    ]);
    expect(indexOfName(listing, badName)).toBe(4);
    expect(indexOfName(listing, bytes("nope"))).toBe(-1);
    expect(platform.list(top).count, "a handle can be listed again").toBe(5);
  });

  test("stat agrees with node:fs in every field", () => {
    put(bytes("file"), "hello", 0o640);
    platform.setTimes(top, bytes("file"), 1_234_567_890_000_000_000n, -5_000_000_000n);
    platform.makeSymlink(top, bytes("link"), bytes("file"));
    for (const name of ["file", "link"]) {
      platform.stat(top, bytes(name), table, 3);
      const stats = fs.lstatSync(join(root, name), { bigint: true });
      expect(table.errno(3)).toBe(0);
      expect(table.kind(3)).toBe(name === "link" ? EntryKind.symlink : EntryKind.file);
      expect(table.permissions(3)).toBe(Number(stats.mode & 0o7777n));
      expect(table.uid(3)).toBe(Number(stats.uid));
      expect(table.gid(3)).toBe(Number(stats.gid));
      expect(table.linkCount(3)).toBe(Number(stats.nlink));
      expect(table.size(3)).toBe(Number(stats.size));
      expect(table.allocatedBytes(3)).toBe(Number(stats.blocks) * 512);
      expect(table.inode(3)).toBe(stats.ino);
      expect(table.accessedNs(3)).toBe(stats.atimeNs);
      expect(table.modifiedNs(3)).toBe(stats.mtimeNs);
      expect(table.changedNs(3)).toBe(stats.ctimeNs);
      expect(table.bornNs(3)).toBe(stats.birthtimeNs);
      expect(table.mountId(3) > 0).toBe(can.mountIds);
    }
    platform.stat(top, SELF, table, 0);
    expect(table.inode(0)).toBe(fs.statSync(root, { bigint: true }).ino);
    platform.stat(top, bytes("file"), table, 1);
    expect(table.device(0)).toBe(table.device(1));
  });

  test("statListed fills rows and says which vanished", () => {
    for (const name of ["a", "b", "c"]) put(bytes(name), name);
    const listing = platform.list(top);
    platform.removeFile(top, bytes("b"));
    platform.statListed(top, listing, 0, 3, table);
    expect([0, 1, 2].map((row) => table.errno(row))).toEqual([0, 2, 0]);
    expect(table.size(2)).toBe(1);
    platform.statListed(top, listing, 2, 1, table);
    expect(table.errno(0)).toBe(0);
    expect(() => platform.statListed(top, listing, 0, 65, table)).toThrow(RangeError);
  });

  test("a change mark tells any change of size, time or inode", () => {
    put(bytes("f"), "one");
    platform.stat(top, bytes("f"), table, 0);
    const mark = new Uint32Array(CHANGE_MARK_WORDS + 1);
    table.copyChangeMark(0, mark, 1);
    platform.stat(top, bytes("f"), table, 5);
    expect(table.sameChangeMark(5, mark, 1)).toBe(true);
    platform.setTimes(top, bytes("f"), undefined, table.modifiedNs(0) + 1_000_000_000n);
    platform.stat(top, bytes("f"), table, 5);
    expect(table.sameChangeMark(5, mark, 1)).toBe(false);
  });

  test("reads and writes at positions, also into shared memory, and sets sizes", () => {
    const file = platform.createFile(top, bytes("f"), 0o600);
    platform.write(file, bytes("world"), 6);
    platform.write(file, bytes("hello"), 0);
    const shared = Buffer.from(new SharedArrayBuffer(32));
    expect(platform.read(file, shared, 0)).toBe(11);
    expect(shared.subarray(0, 11).toString("latin1")).toBe("hello\0world");
    expect(platform.read(file, shared, 11)).toBe(0);
    platform.setSize(file, 3);
    platform.sync(file);
    expect(platform.read(file, shared, 0)).toBe(3);
    platform.close(file);
    expect(codeOf(() => platform.createFile(top, bytes("f"), 0o600))).toBe("EEXIST");
    const again = platform.openFileForUpdate(top, bytes("f"));
    platform.write(again, bytes("HE"), 0);
    platform.close(again);
    expect(fs.readFileSync(join(root, "f"), "latin1")).toBe("HEl");
    platform.sync(top);
  });

  test("opening a file refuses links, FIFOs and directories and never waits", () => {
    put(bytes("f"), "x");
    fs.symlinkSync("f", join(root, "link"));
    spawnSync("mkfifo", [join(root, "fifo")]);
    fs.mkdirSync(join(root, "dir"));
    expect(codeOf(() => platform.openFile(top, bytes("link")))).toBe("ELOOP");
    expect(codeOf(() => platform.openFile(top, bytes("fifo")))).toBe("EINVAL");
    expect(codeOf(() => platform.openFile(top, bytes("dir")))).toBe("EINVAL");
    expect(codeOf(() => platform.openFile(top, bytes("none")))).toBe("ENOENT");
    expect(codeOf(() => platform.openFileForUpdate(top, bytes("link")))).toBe("ELOOP");
    expect(codeOf(() => platform.createFile(top, bytes("link"), 0o600))).toBe("EEXIST");
  });

  test("names with more than one component are refused everywhere", () => {
    for (const name of ["", ".", "..", "a/b", "/etc", "a\0b"]) {
      expect(codeOf(() => platform.openDirectoryAt(top, bytes(name)))).toMatch(/EINVAL|ENOENT/);
      expect(codeOf(() => platform.createFile(top, bytes(name), 0o600))).toBe("EINVAL");
      expect(codeOf(() => platform.makeDirectory(top, bytes(name), 0o700))).toBe("EINVAL");
      expect(codeOf(() => platform.removeFile(top, bytes(name)))).toBe("EINVAL");
    }
    for (const path of ["a/../b", "a//b", "/a", "a/", "./a"]) {
      expect(codeOf(() => platform.openDirectoryAt(top, bytes(path)))).toBe("EINVAL");
    }
    expect(codeOf(() => platform.makeDirectory(top, Buffer.alloc(5000, 0x61), 0o700))).toBe("ENAMETOOLONG");
  });

  test("a link planted on the way stops a descent", () => {
    fs.mkdirSync(join(root, "real/inner"), { recursive: true });
    fs.symlinkSync("real", join(root, "planted"));
    platform.close(platform.openDirectoryAt(top, bytes("real/inner")));
    expect(codeOf(() => platform.openDirectoryAt(top, bytes("planted/inner")))).toMatch(/ELOOP|ENOTDIR/);
    expect(codeOf(() => platform.openDirectoryAt(top, bytes("planted")))).toMatch(/ELOOP|ENOTDIR/);
    expect(codeOf(() => platform.openDirectoryAt(top, bytes("real/none")))).toBe("ENOENT");
  });

  test("reaches paths far beyond PATH_MAX below a long target", () => {
    const component = Buffer.alloc(250, 0x6c);
    let relative = component;
    let parent = top;
    for (let depth = 0; depth < 40; depth++) {
      platform.makeDirectory(parent, component, 0o755);
      const next = platform.openDirectoryAt(parent, component);
      if (parent !== top) platform.close(parent);
      parent = next;
      if (depth > 0) relative = Buffer.concat([relative, bytes("/"), component]);
    }
    const file = platform.createFile(parent, bytes("deep"), 0o600);
    platform.write(file, bytes("deep"), 0);
    platform.close(file);
    platform.close(parent);
    expect(relative.length).toBeGreaterThan(10_000);
    const below = platform.openDirectoryAt(top, relative);
    expect(platform.list(below).count).toBe(1);
    const absolute = platform.openDirectory(Buffer.concat([Buffer.from(root), bytes("/"), relative]));
    platform.stat(absolute, bytes("deep"), table, 0);
    expect(table.size(0)).toBe(4);
    expect(absolute.path.length).toBeGreaterThan(10_000);
    platform.makeSymlink(absolute, bytes("l"), Buffer.alloc(4095, 0x74));
    expect(platform.readLink(absolute, bytes("l")).length).toBe(4095);
    platform.close(absolute);
    platform.close(below);
    spawnSync("rm", ["-rf", join(root, component.toString())]);
  });

  test("links, renames and removes", () => {
    put(bytes("a"), "a");
    platform.makeLink(top, bytes("a"), top, badName);
    platform.stat(top, badName, table, 0);
    expect(table.linkCount(0)).toBe(2);
    put(bytes("b"), "b");
    expect(codeOf(() => platform.rename(top, bytes("b"), top, badName, true))).toBe("EEXIST");
    platform.rename(top, bytes("b"), top, badName);
    platform.stat(top, bytes("a"), table, 0);
    expect(table.linkCount(0)).toBe(1);
    platform.removeFile(top, badName);
    platform.makeSymlink(top, bytes("s"), badName);
    expect(platform.readLink(top, bytes("s"))).toEqual(badName);
    platform.makeLink(top, bytes("s"), top, bytes("s2"));
    expect(platform.readLink(top, bytes("s2")), "a link to a link is not followed").toEqual(badName);
    platform.makeDirectory(top, bytes("d"), 0o700);
    expect(codeOf(() => platform.removeFile(top, bytes("d")))).toMatch(/EISDIR|EPERM/);
    platform.removeDirectory(top, bytes("d"));
    expect(codeOf(() => platform.removeDirectory(top, bytes("d")))).toBe("ENOENT");
  });

  test("modes keep all twelve bits and never go through a link", () => {
    put(bytes("f"), "x");
    fs.symlinkSync("f", join(root, "l"));
    platform.setMode(top, bytes("f"), 0o4711);
    platform.stat(top, bytes("f"), table, 0);
    expect(table.permissions(0)).toBe(0o4711);
    expect(codeOf(() => platform.setMode(top, bytes("l"), 0o777))).toBe("ENOTSUP");
    platform.stat(top, bytes("f"), table, 0);
    expect(table.permissions(0)).toBe(0o4711);
    platform.setMode(top, SELF, 0o1711);
    expect(fs.statSync(root).mode & 0o7777).toBe(0o1711);
    const file = platform.openFile(top, bytes("f"));
    platform.setMode(file, SELF, 0o600);
    platform.close(file);
    expect(fs.statSync(join(root, "f")).mode & 0o7777).toBe(0o600);
  });

  test.runIf(isRoot)("owners, also of links and of what a handle is open on", () => {
    put(bytes("f"), "x");
    fs.symlinkSync("f", join(root, "l"));
    platform.setOwner(top, bytes("l"), 12345, 4_000_000_000);
    platform.setOwner(top, SELF, 7, 8);
    platform.stat(top, bytes("l"), table, 0);
    platform.stat(top, bytes("f"), table, 1);
    platform.stat(top, SELF, table, 2);
    expect([table.uid(0), table.gid(0), table.uid(1), table.uid(2), table.gid(2)]).toEqual([
      12345, 4_000_000_000, 0, 7, 8,
    ]);
  });

  test("times to the nanosecond, before 1970 and far ahead, on files, links and directories", () => {
    put(bytes("f"), "x");
    platform.makeSymlink(top, bytes("l"), bytes("f"));
    platform.stat(top, bytes("f"), table, 0);
    const untouched = table.accessedNs(0);
    // ext4 keeps 1901 to 2446.
    for (const time of [-1n, -1_999_999_999n, 0n, 1_234_567_890_123_456_789n, 15_000_000_000_000_000_001n]) {
      for (const name of [bytes("l"), SELF, bytes("f")]) {
        platform.setTimes(top, name, undefined, time);
        platform.stat(top, name, table, 1);
        const off = table.modifiedNs(1) - time;
        if (can.nanosecondTimes) expect(off).toBe(0n);
        else expect(off > -5_000n && off < 5_000n, `off by ${off}`).toBe(true);
      }
    }
    if (can.nanosecondTimes) expect(table.accessedNs(1)).toBe(untouched);
    platform.setTimes(top, bytes("f"), 1_000_000_000n, 0n);
    platform.stat(top, bytes("f"), table, 1);
    expect(table.accessedNs(1)).toBe(1_000_000_000n);
  });

  test("extended attributes in byte order with any value", () => {
    put(bytes("f"), "x");
    platform.makeSymlink(top, bytes("l"), bytes("f"));
    const value = Buffer.from([0, 255, 10, 0]);
    if (!can.xattrs) {
      expect(codeOf(() => platform.setXattr(top, bytes("f"), { name: bytes("user.a"), value }))).toBe(
        "ENOTSUP",
      );
      expect(codeOf(() => platform.removeXattr(top, bytes("f"), bytes("user.a")))).toBe("ENOTSUP");
      expect(platform.xattrs(top, bytes("f"))).toEqual([]);
      return;
    }
    const empty = { name: bytes("user.\xff"), value: Buffer.alloc(0) };
    const large = { name: bytes("user.big"), value: Buffer.alloc(3000, 7) };
    const small = { name: bytes("user.a"), value };
    for (const xattr of [empty, large, small]) platform.setXattr(top, bytes("f"), xattr);
    expect(platform.xattrs(top, bytes("f"))).toEqual([small, large, empty]);
    const file = platform.openFile(top, bytes("f"));
    expect(platform.xattrs(file, SELF)).toEqual([small, large, empty]);
    platform.removeXattr(file, SELF, small.name);
    platform.setXattr(file, SELF, { name: large.name, value });
    platform.close(file);
    platform.removeXattr(top, bytes("f"), empty.name);
    expect(platform.xattrs(top, bytes("f"))).toEqual([{ name: large.name, value }]);
    expect(codeOf(() => platform.removeXattr(top, bytes("f"), empty.name))).toBe("ENODATA");
    expect(platform.xattrs(top, bytes("l")), "a link's own, not its target's").toEqual([]);
    if (isRoot) {
      platform.setXattr(top, bytes("l"), { name: bytes("trusted.t"), value });
      expect(platform.xattrs(top, bytes("l"))).toEqual([{ name: bytes("trusted.t"), value }]);
    }
    expect(platform.xattrs(platform.openDirectory(Buffer.from("/proc/self")), bytes("status"))).toEqual([]);
  });

  test("maps of holes", () => {
    const file = platform.createFile(top, bytes("sparse"), 0o600);
    platform.setSize(file, 2 ** 40);
    platform.write(file, Buffer.alloc(65536, 1), 65536 * 10);
    platform.write(file, Buffer.alloc(65536, 1), 65536 * 20);
    if (can.holes) {
      const first = { start: 655_360, end: 720_896 };
      const second = { start: 1_310_720, end: 1_376_256 };
      expect(platform.dataSegments(file, 0, 2 ** 40, 100)).toEqual([first, second]);
      expect(platform.dataSegments(file, 0, 2 ** 40, 1)).toEqual([first]);
      expect(platform.dataSegments(file, first.end, 2 ** 40, 100)).toEqual([second]);
      expect(platform.dataSegments(file, 700_000, 710_000, 100)).toEqual([{ start: 700_000, end: 710_000 }]);
      expect(platform.dataSegments(file, second.end, 2 ** 40, 100)).toEqual([]);
      platform.stat(file, SELF, table, 0);
      expect(table.size(0)).toBe(2 ** 40);
      expect(table.allocatedBytes(0)).toBeLessThan(2 ** 20);
    } else expect(platform.dataSegments(file, 5, 100, 9)).toEqual([{ start: 5, end: 100 }]);
    expect(codeOf(() => platform.dataSegments(file, 0, 2 ** 60, 1))).toBe("EFBIG");
    platform.close(file);
  });

  test("FIFOs and device nodes", () => {
    if (!can.specialFiles) {
      expect(codeOf(() => platform.makeFifo(top, bytes("p"), 0o600))).toBe("ENOTSUP");
      expect(codeOf(() => platform.makeDevice(top, bytes("d"), "blockDevice", 0o600, 1, 2))).toBe("ENOTSUP");
      return;
    }
    platform.makeFifo(top, bytes("p"), 0o600);
    platform.stat(top, bytes("p"), table, 0);
    expect(table.kind(0)).toBe(EntryKind.fifo);
    if (!isRoot) return;
    platform.makeDevice(top, bytes("c"), "characterDevice", 0o600, 1, 3);
    platform.makeDevice(top, bytes("b"), "blockDevice", 0o640, 4095, 1_048_575);
    platform.statListed(top, platform.list(top), 0, 2, table);
    expect([table.kind(0), table.deviceMajor(0), table.deviceMinor(0)]).toEqual([
      EntryKind.blockDevice,
      4095,
      1_048_575,
    ]);
    expect([table.kind(1), table.deviceMajor(1), table.deviceMinor(1)]).toEqual([
      EntryKind.characterDevice,
      1,
      3,
    ]);
  });

  test("file systems, and which of them are pseudo", () => {
    const here = platform.fileSystem(top);
    expect(here.pseudo).toBe(false);
    expect(here.availableBytes).toBeGreaterThan(0);
    expect(here.totalBytes).toBeGreaterThanOrEqual(here.availableBytes);
    for (const [path, type] of [
      ["/proc", "proc"],
      ["/sys", "sysfs"],
      ["/dev", "devtmpfs"],
    ] as const) {
      const out = spawnSync("findmnt", ["-n", "-o", "FSTYPE", path], { encoding: "utf8" }).stdout.trim();
      if (out !== type) continue;
      const handle = platform.openDirectory(Buffer.from(path));
      expect(platform.fileSystem(handle)).toMatchObject({ type, pseudo: true });
      platform.close(handle);
    }
  });

  test("account names and numbers", () => {
    expect([platform.userName(0), platform.groupName(0)]).toEqual(["root", "root"]);
    const name = platform.userName(65_534);
    expect(name).toBeDefined();
    expect(platform.userId(name as string)).toBe(65_534);
    expect(platform.groupId("root")).toBe(0);
    for (const none of ["", "no such name", "-x", "0", "a\0b", "a".repeat(300)]) {
      expect(platform.userId(none)).toBeUndefined();
      expect(platform.groupId(none)).toBeUndefined();
    }
    expect(platform.userName(3_999_999_999)).toBeUndefined();
    expect(platform.groupName(3_999_999_999)).toBeUndefined();
  });

  test("errors carry code, call and path as bytes", () => {
    try {
      platform.stat(top, badName, table, 0);
      expect.unreachable();
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      expect([error.code, error.errno]).toEqual(["ENOENT", 2]);
      expect(error.path).toEqual(Buffer.concat([Buffer.from(`${root}/`), badName]));
      expect(error.message).toContain("\\xff\\x0a\\x80");
      expect(error.message.split("\n").length).toBe(1);
    }
    expect(table.errno(0)).toBe(2);
    expect(codeOf(() => platform.openDirectory(bytes("/nonexistent")))).toBe("ENOENT");
    expect(codeOf(() => platform.openDirectory(SELF as Buffer))).toBe("ENOENT");
    expect(codeOf(() => platform.openDirectory(bytes("/etc/passwd")))).toBe("ENOTDIR");
  });

  test("leaves no descriptor open", () => {
    const count = () => fs.readdirSync("/proc/self/fd").length;
    const before = count();
    put(bytes("f"), "x");
    fs.mkdirSync(join(root, "a/b/c"), { recursive: true });
    for (let round = 0; round < 20; round++) {
      platform.close(platform.openDirectoryAt(top, bytes("a/b/c")));
      platform.close(platform.openFile(top, bytes("f")));
      codeOf(() => platform.openDirectoryAt(top, bytes("a/b/none")));
      codeOf(() => platform.openFile(top, bytes("a")));
      platform.setMode(top, bytes("f"), 0o600);
      platform.list(top);
      platform.fileSystem(top);
    }
    expect(count()).toBe(before);
  });
});

describe("selection", () => {
  test("HOLDFAST_PLATFORM=portable forces the fallback", () => {
    const before = process.env.HOLDFAST_PLATFORM;
    try {
      delete process.env.HOLDFAST_PLATFORM;
      expect(selectPlatform().capabilities.name).toBe("linux");
      process.env.HOLDFAST_PLATFORM = "portable";
      expect(selectPlatform().capabilities.name).toBe("portable");
    } finally {
      if (before === undefined) delete process.env.HOLDFAST_PLATFORM;
      else process.env.HOLDFAST_PLATFORM = before;
    }
  });
});
