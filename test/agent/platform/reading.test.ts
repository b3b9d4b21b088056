// Handles, reading and facts of the machine, against a real file system, for both platforms.

import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { indexOfName, nameAt } from "../../../agent/platform/listing.ts";
import { type Platform, SELF } from "../../../agent/platform/port.ts";
import { selectPlatform } from "../../../agent/platform/select.ts";
import { CHANGE_MARK_WORDS, EntryKind, StatTable } from "../../../agent/platform/statTable.ts";
import { SystemError } from "../../../agent/platform/systemError.ts";
import { badName, bytes, codeOf, freshDirectory, platforms } from "./eachPlatform.ts";

describe.each(platforms)("%s platform", (_, create) => {
  const platform: Platform = create();
  const can = platform.capabilities;
  const table = new StatTable(64);
  const fresh = freshDirectory(platform);

  test("lists names of any bytes, sorted, each with its kind", () => {
    fresh.put(badName, "x");
    fresh.put(bytes("b"), "x");
    fresh.put(Buffer.alloc(255, 0x61), "x");
    platform.makeDirectory(fresh.top, bytes("a"), 0o755);
    platform.makeSymlink(fresh.top, bytes("..."), bytes("nowhere"));
    const listing = platform.list(fresh.top);
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
    expect(platform.list(fresh.top).count, "a handle can be listed again").toBe(5);
  });

  test("stat agrees with node:fs in every field", () => {
    fresh.put(bytes("file"), "hello", 0o640);
    platform.setTimes(fresh.top, bytes("file"), 1_234_567_890_000_000_000n, -5_000_000_000n);
    platform.makeSymlink(fresh.top, bytes("link"), bytes("file"));
    for (const name of ["file", "link"]) {
      platform.stat(fresh.top, bytes(name), table, 3);
      const stats = fs.lstatSync(join(fresh.root, name), { bigint: true });
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
    platform.stat(fresh.top, SELF, table, 0);
    expect(table.inode(0)).toBe(fs.statSync(fresh.root, { bigint: true }).ino);
    platform.stat(fresh.top, bytes("file"), table, 1);
    expect(table.device(0)).toBe(table.device(1));
  });

  test("statListed fills rows and says which vanished", () => {
    for (const name of ["a", "b", "c"]) fresh.put(bytes(name), name);
    const listing = platform.list(fresh.top);
    platform.removeFile(fresh.top, bytes("b"));
    platform.statListed(fresh.top, listing, 0, 3, table);
    expect([0, 1, 2].map((row) => table.errno(row))).toEqual([0, 2, 0]);
    expect(table.size(2)).toBe(1);
    platform.statListed(fresh.top, listing, 2, 1, table);
    expect(table.errno(0)).toBe(0);
    expect(() => platform.statListed(fresh.top, listing, 0, 65, table)).toThrow(RangeError);
  });

  test("a change mark tells any change of size, time or inode", () => {
    fresh.put(bytes("f"), "one");
    platform.stat(fresh.top, bytes("f"), table, 0);
    const mark = new Uint32Array(CHANGE_MARK_WORDS + 1);
    table.copyChangeMark(0, mark, 1);
    platform.stat(fresh.top, bytes("f"), table, 5);
    expect(table.sameChangeMark(5, mark, 1)).toBe(true);
    platform.setTimes(fresh.top, bytes("f"), undefined, table.modifiedNs(0) + 1_000_000_000n);
    platform.stat(fresh.top, bytes("f"), table, 5);
    expect(table.sameChangeMark(5, mark, 1)).toBe(false);
    // One field at a time, which no file system can be made to do; also by what only the upper half of a field has.
    const stats = fs.lstatSync(join(fresh.root, "f"), { bigint: true });
    table.fill(0, stats);
    table.copyChangeMark(0, mark, 1);
    const second = 1_000_000_000n;
    for (const [field, by] of [
      ["size", 1n],
      ["size", 1n << 32n],
      ["mtimeNs", 1n],
      ["mtimeNs", second],
      ["ctimeNs", 1n],
      ["ctimeNs", second],
      ["ino", 1n],
      ["ino", 1n << 32n],
    ] as const) {
      table.fill(5, { ...stats, [field]: stats[field] + by });
      expect(table.sameChangeMark(5, mark, 1), `${field} + ${by}`).toBe(false);
    }
    table.fill(5, { ...stats, atimeNs: stats.atimeNs + second });
    expect(table.sameChangeMark(5, mark, 1), "an access is no change").toBe(true);
  });

  test("opening a file refuses links, FIFOs and directories and never waits", () => {
    fresh.put(bytes("f"), "x");
    fs.symlinkSync("f", join(fresh.root, "link"));
    spawnSync("mkfifo", [join(fresh.root, "fifo")]);
    fs.mkdirSync(join(fresh.root, "dir"));
    expect(codeOf(() => platform.openFile(fresh.top, bytes("link")))).toBe("ELOOP");
    expect(codeOf(() => platform.openFile(fresh.top, bytes("fifo")))).toBe("EINVAL");
    expect(codeOf(() => platform.openFile(fresh.top, bytes("dir")))).toBe("EINVAL");
    expect(codeOf(() => platform.openFile(fresh.top, bytes("none")))).toBe("ENOENT");
    expect(codeOf(() => platform.openFileForUpdate(fresh.top, bytes("link")))).toBe("ELOOP");
    expect(codeOf(() => platform.createFile(fresh.top, bytes("link"), 0o600))).toBe("EEXIST");
  });

  test("a link planted on the way stops a descent", () => {
    fs.mkdirSync(join(fresh.root, "real/inner"), { recursive: true });
    fs.symlinkSync("real", join(fresh.root, "planted"));
    platform.close(platform.openDirectoryAt(fresh.top, bytes("real/inner")));
    expect(codeOf(() => platform.openDirectoryAt(fresh.top, bytes("planted/inner")))).toMatch(
      /ELOOP|ENOTDIR/,
    );
    expect(codeOf(() => platform.openDirectoryAt(fresh.top, bytes("planted")))).toMatch(/ELOOP|ENOTDIR/);
    expect(codeOf(() => platform.openDirectoryAt(fresh.top, bytes("real/none")))).toBe("ENOENT");
  });

  test("reaches paths far beyond PATH_MAX below a long target", () => {
    const component = Buffer.alloc(250, 0x6c);
    let relative = component;
    let parent = fresh.top;
    for (let depth = 0; depth < 40; depth++) {
      platform.makeDirectory(parent, component, 0o755);
      const next = platform.openDirectoryAt(parent, component);
      if (parent !== fresh.top) platform.close(parent);
      parent = next;
      if (depth > 0) relative = Buffer.concat([relative, bytes("/"), component]);
    }
    const file = platform.createFile(parent, bytes("deep"), 0o600);
    platform.write(file, bytes("deep"), 0);
    platform.close(file);
    platform.close(parent);
    expect(relative.length).toBeGreaterThan(10_000);
    const below = platform.openDirectoryAt(fresh.top, relative);
    expect(platform.list(below).count).toBe(1);
    const absolute = platform.openDirectory(Buffer.concat([Buffer.from(fresh.root), bytes("/"), relative]));
    platform.stat(absolute, bytes("deep"), table, 0);
    expect(table.size(0)).toBe(4);
    expect(absolute.path.length).toBeGreaterThan(10_000);
    platform.makeSymlink(absolute, bytes("l"), Buffer.alloc(4095, 0x74));
    expect(platform.readLink(absolute, bytes("l")).length).toBe(4095);
    platform.close(absolute);
    platform.close(below);
    spawnSync("rm", ["-rf", join(fresh.root, component.toString())]);
  });

  test("maps of holes", () => {
    const file = platform.createFile(fresh.top, bytes("sparse"), 0o600);
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

  test("file systems, and which of them are pseudo", () => {
    const here = platform.fileSystem(fresh.top);
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
      platform.stat(fresh.top, badName, table, 0);
      expect.unreachable();
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      expect([error.code, error.errno]).toEqual(["ENOENT", 2]);
      expect(error.path).toEqual(Buffer.concat([Buffer.from(`${fresh.root}/`), badName]));
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
    fresh.put(bytes("f"), "x");
    fs.mkdirSync(join(fresh.root, "a/b/c"), { recursive: true });
    for (let round = 0; round < 20; round++) {
      platform.close(platform.openDirectoryAt(fresh.top, bytes("a/b/c")));
      platform.close(platform.openFile(fresh.top, bytes("f")));
      codeOf(() => platform.openDirectoryAt(fresh.top, bytes("a/b/none")));
      codeOf(() => platform.openFile(fresh.top, bytes("a")));
      platform.setMode(fresh.top, bytes("f"), 0o600);
      platform.list(fresh.top);
      platform.fileSystem(fresh.top);
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
