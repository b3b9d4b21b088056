// What a restore asks of the platform port, against a real file system, for both platforms.

import * as fs from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Platform, SELF } from "../../../agent/platform/port.ts";
import { EntryKind, StatTable } from "../../../agent/platform/statTable.ts";
import { badName, bytes, codeOf, freshDirectory, isRoot, platforms } from "./eachPlatform.ts";

describe.each(platforms)("%s platform", (_, create) => {
  const platform: Platform = create();
  const can = platform.capabilities;
  const table = new StatTable(64);
  const fresh = freshDirectory(platform);

  test("reads and writes at positions, also into shared memory, and sets sizes", () => {
    const file = platform.createFile(fresh.top, bytes("f"), 0o600);
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
    expect(codeOf(() => platform.createFile(fresh.top, bytes("f"), 0o600))).toBe("EEXIST");
    const again = platform.openFileForUpdate(fresh.top, bytes("f"));
    platform.write(again, bytes("HE"), 0);
    platform.close(again);
    expect(fs.readFileSync(join(fresh.root, "f"), "latin1")).toBe("HEl");
    platform.sync(fresh.top);
  });

  test("makes holes of whole blocks and zeros of the rest, or leaves all as it is", () => {
    const file = platform.createFile(fresh.top, bytes("f"), 0o600);
    const content = Buffer.alloc(10 * 65_536, 1);
    platform.write(file, content, 0);
    platform.sync(file);
    const punched = platform.punchHole(file, 65_536 - 100, 9 * 65_536 + 100);
    expect(punched).toBe(can.holes);
    platform.stat(file, SELF, table, 0);
    expect(table.size(0)).toBe(content.length);
    if (punched) {
      content.fill(0, 65_536 - 100, 9 * 65_536 + 100);
      expect(table.allocatedBytes(0)).toBeLessThanOrEqual(2 * 65_536);
      const [first, second, ...more] = platform.dataSegments(file, 0, content.length, 9);
      expect([first?.start, first?.end, second?.end, more]).toEqual([0, 65_536, content.length, []]);
    }
    platform.close(file);
    expect(fs.readFileSync(join(fresh.root, "f")).equals(content)).toBe(true);
  });

  test("names with more than one component are refused everywhere", () => {
    for (const name of ["", ".", "..", "a/b", "/etc", "a\0b"]) {
      expect(codeOf(() => platform.openDirectoryAt(fresh.top, bytes(name)))).toMatch(/EINVAL|ENOENT/);
      expect(codeOf(() => platform.createFile(fresh.top, bytes(name), 0o600))).toBe("EINVAL");
      expect(codeOf(() => platform.makeDirectory(fresh.top, bytes(name), 0o700))).toBe("EINVAL");
      expect(codeOf(() => platform.removeFile(fresh.top, bytes(name)))).toBe("EINVAL");
    }
    for (const path of ["a/../b", "a//b", "/a", "a/", "./a"]) {
      expect(codeOf(() => platform.openDirectoryAt(fresh.top, bytes(path)))).toBe("EINVAL");
    }
    expect(codeOf(() => platform.makeDirectory(fresh.top, Buffer.alloc(5000, 0x61), 0o700))).toBe(
      "ENAMETOOLONG",
    );
  });

  test("links, renames and removes", () => {
    fresh.put(bytes("a"), "a");
    platform.makeLink(fresh.top, bytes("a"), fresh.top, badName);
    platform.stat(fresh.top, badName, table, 0);
    expect(table.linkCount(0)).toBe(2);
    fresh.put(bytes("b"), "b");
    expect(codeOf(() => platform.rename(fresh.top, bytes("b"), fresh.top, badName, true))).toBe("EEXIST");
    platform.rename(fresh.top, bytes("b"), fresh.top, badName);
    platform.stat(fresh.top, bytes("a"), table, 0);
    expect(table.linkCount(0)).toBe(1);
    platform.removeFile(fresh.top, badName);
    platform.makeSymlink(fresh.top, bytes("s"), badName);
    expect(platform.readLink(fresh.top, bytes("s"))).toEqual(badName);
    platform.makeLink(fresh.top, bytes("s"), fresh.top, bytes("s2"));
    expect(platform.readLink(fresh.top, bytes("s2")), "a link to a link is not followed").toEqual(badName);
    platform.makeDirectory(fresh.top, bytes("d"), 0o700);
    expect(codeOf(() => platform.removeFile(fresh.top, bytes("d")))).toMatch(/EISDIR|EPERM/);
    platform.removeDirectory(fresh.top, bytes("d"));
    expect(codeOf(() => platform.removeDirectory(fresh.top, bytes("d")))).toBe("ENOENT");
  });

  test("modes keep all twelve bits and never go through a link", () => {
    fresh.put(bytes("f"), "x");
    fs.symlinkSync("f", join(fresh.root, "l"));
    platform.setMode(fresh.top, bytes("f"), 0o4711);
    platform.stat(fresh.top, bytes("f"), table, 0);
    expect(table.permissions(0)).toBe(0o4711);
    expect(codeOf(() => platform.setMode(fresh.top, bytes("l"), 0o777))).toBe("ENOTSUP");
    platform.stat(fresh.top, bytes("f"), table, 0);
    expect(table.permissions(0)).toBe(0o4711);
    platform.setMode(fresh.top, SELF, 0o1711);
    expect(fs.statSync(fresh.root).mode & 0o7777).toBe(0o1711);
    const file = platform.openFile(fresh.top, bytes("f"));
    platform.setMode(file, SELF, 0o600);
    platform.close(file);
    expect(fs.statSync(join(fresh.root, "f")).mode & 0o7777).toBe(0o600);
  });

  test.runIf(isRoot)("owners, also of links and of what a handle is open on", () => {
    fresh.put(bytes("f"), "x");
    fs.symlinkSync("f", join(fresh.root, "l"));
    platform.setOwner(fresh.top, bytes("l"), 12345, 4_000_000_000);
    platform.setOwner(fresh.top, SELF, 7, 8);
    platform.stat(fresh.top, bytes("l"), table, 0);
    platform.stat(fresh.top, bytes("f"), table, 1);
    platform.stat(fresh.top, SELF, table, 2);
    expect([table.uid(0), table.gid(0), table.uid(1), table.uid(2), table.gid(2)]).toEqual([
      12345, 4_000_000_000, 0, 7, 8,
    ]);
  });

  test("times to the nanosecond, before 1970 and far ahead, on files, links and directories", () => {
    fresh.put(bytes("f"), "x");
    platform.makeSymlink(fresh.top, bytes("l"), bytes("f"));
    platform.stat(fresh.top, bytes("f"), table, 0);
    const untouched = table.accessedNs(0);
    // ext4 keeps 1901 to 2446.
    for (const time of [-1n, -1_999_999_999n, 0n, 1_234_567_890_123_456_789n, 15_000_000_000_000_000_001n]) {
      for (const name of [bytes("l"), SELF, bytes("f")]) {
        platform.setTimes(fresh.top, name, undefined, time);
        platform.stat(fresh.top, name, table, 1);
        const off = table.modifiedNs(1) - time;
        if (can.nanosecondTimes) expect(off).toBe(0n);
        else expect(off > -5_000n && off < 5_000n, `off by ${off}`).toBe(true);
      }
    }
    if (can.nanosecondTimes) expect(table.accessedNs(1)).toBe(untouched);
    platform.setTimes(fresh.top, bytes("f"), 1_000_000_000n, 0n);
    platform.stat(fresh.top, bytes("f"), table, 1);
    expect(table.accessedNs(1)).toBe(1_000_000_000n);
  });

  test("extended attributes in byte order with any value", () => {
    fresh.put(bytes("f"), "x");
    platform.makeSymlink(fresh.top, bytes("l"), bytes("f"));
    const value = Buffer.from([0, 255, 10, 0]);
    if (!can.xattrs) {
      expect(codeOf(() => platform.setXattr(fresh.top, bytes("f"), { name: bytes("user.a"), value }))).toBe(
        "ENOTSUP",
      );
      expect(codeOf(() => platform.removeXattr(fresh.top, bytes("f"), bytes("user.a")))).toBe("ENOTSUP");
      expect(platform.xattrs(fresh.top, bytes("f"))).toEqual([]);
      return;
    }
    const empty = { name: bytes("user.\xff"), value: Buffer.alloc(0) };
    const large = { name: bytes("user.big"), value: Buffer.alloc(3000, 7) };
    const small = { name: bytes("user.a"), value };
    for (const xattr of [empty, large, small]) platform.setXattr(fresh.top, bytes("f"), xattr);
    expect(platform.xattrs(fresh.top, bytes("f"))).toEqual([small, large, empty]);
    const file = platform.openFile(fresh.top, bytes("f"));
    expect(platform.xattrs(file, SELF)).toEqual([small, large, empty]);
    platform.removeXattr(file, SELF, small.name);
    platform.setXattr(file, SELF, { name: large.name, value });
    platform.close(file);
    platform.removeXattr(fresh.top, bytes("f"), empty.name);
    expect(platform.xattrs(fresh.top, bytes("f"))).toEqual([{ name: large.name, value }]);
    expect(codeOf(() => platform.removeXattr(fresh.top, bytes("f"), empty.name))).toBe("ENODATA");
    expect(platform.xattrs(fresh.top, bytes("l")), "a link's own, not its target's").toEqual([]);
    if (isRoot) {
      platform.setXattr(fresh.top, bytes("l"), { name: bytes("trusted.t"), value });
      expect(platform.xattrs(fresh.top, bytes("l"))).toEqual([{ name: bytes("trusted.t"), value }]);
    }
    expect(platform.xattrs(platform.openDirectory(Buffer.from("/proc/self")), bytes("status"))).toEqual([]);
  });

  test("FIFOs and device nodes", () => {
    if (!can.specialFiles) {
      expect(codeOf(() => platform.makeFifo(fresh.top, bytes("p"), 0o600))).toBe("ENOTSUP");
      expect(codeOf(() => platform.makeDevice(fresh.top, bytes("d"), "blockDevice", 0o600, 1, 2))).toBe(
        "ENOTSUP",
      );
      return;
    }
    platform.makeFifo(fresh.top, bytes("p"), 0o600);
    platform.stat(fresh.top, bytes("p"), table, 0);
    expect(table.kind(0)).toBe(EntryKind.fifo);
    if (!isRoot) return;
    platform.makeDevice(fresh.top, bytes("c"), "characterDevice", 0o600, 1, 3);
    platform.makeDevice(fresh.top, bytes("b"), "blockDevice", 0o640, 4095, 1_048_575);
    platform.statListed(fresh.top, platform.list(fresh.top), 0, 2, table);
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
});
