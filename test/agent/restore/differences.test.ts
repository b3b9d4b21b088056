// A second restore touches only what is not right: holes are made again, and the change time of everything else stays.

import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { selectPlatform } from "../../../agent/platform/select.ts";
import { run } from "../../fidelity/tool.ts";
import { FixtureVault } from "../../fs/fixtureVault.ts";
import { directoryOf, fileOf, sparseOf } from "../../fs/treeSpec.ts";
import { checkTree } from "./checkTree.ts";
import { restoreTo, temporaryFolder } from "./restoring.ts";

const MiB = 1024 * 1024;
const platform = selectPlatform();
const isRoot = process.getuid?.() === 0;

/** Where the data of a file is, and how much room it takes. */
function roomOf(path: string): { readonly map: readonly (readonly number[])[]; readonly blocks: number } {
  const folder = platform.openDirectory(Buffer.from(join(path, "..")));
  const file = platform.openFile(folder, Buffer.from(path.slice(path.lastIndexOf("/") + 1)));
  const { size, blocks } = fs.statSync(path);
  const map = platform.dataSegments(file, 0, size, 1000).map(({ start, end }) => [start, end] as const);
  platform.close(file);
  platform.close(folder);
  return { map, blocks };
}

/** Change times of everything below a folder, itself included. */
function changeTimes(root: string): Map<string, bigint> {
  const times = new Map([["", fs.lstatSync(root, { bigint: true }).ctimeNs]]);
  for (const name of fs.readdirSync(root, { recursive: true }) as string[]) {
    times.set(name, fs.lstatSync(join(root, name), { bigint: true }).ctimeNs);
  }
  return times;
}

/** Waits until the file system gives a later change time than it has given so far, however coarse its clock is. */
function clockTicks(folder: string): void {
  const probe = join(folder, "probe");
  fs.writeFileSync(probe, "");
  const { ctimeNs } = fs.statSync(probe, { bigint: true });
  do fs.chmodSync(probe, 0o600);
  while (fs.statSync(probe, { bigint: true }).ctimeNs === ctimeNs);
}

const acl = (permissions: string) => ({
  name: Buffer.from("system.posix_acl_access"),
  // user::rw-, user:1234:<permissions>, group::r--, mask::rw-, other::r--
  value: Buffer.from(
    `0200000001000600ffffffff0200${permissions}00d204000004000400ffffffff10000600ffffffff20000400ffffffff`,
    "hex",
  ),
});

const note = { name: Buffer.from("user.note"), value: Buffer.from("kept") };
const filled = randomBytes(MiB / 4);

function treeOf() {
  const pieces = [filled, 3 * MiB, ...Array.from({ length: 6 }, () => [filled, 11 * MiB]).flat()];
  const common = isRoot ? { uid: 1000, gid: 1001 } : {};
  return directoryOf({
    empty: fileOf("", common),
    plain: fileOf("plain", { ...common, mode: 0o4755 }),
    noted: fileOf("noted", { ...common, xattrs: [note] }),
    listed: fileOf("listed", { ...common, mode: 0o664, xattrs: [acl("06")] }),
    holes: sparseOf(
      [...Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? filled : 65_536))].slice(0, 11),
      common,
    ),
    large: sparseOf([...pieces, 5000], common),
    link: { kind: "symlink", target: "nowhere", ...common },
    pipe: { kind: "fifo", mode: 0o640, ...common },
    one: fileOf("linked", { inode: 77n, linkCount: 2 }),
    two: fileOf("linked", { inode: 77n, linkCount: 2 }),
    folder: directoryOf({ below: fileOf("below") }, { mode: 0o2750, xattrs: [note] }),
  });
}

describe("a restore over what is right but for", () => {
  const tree = treeOf();
  const vault = new FixtureVault();
  const row = vault.snapshot(tree);
  const at = (target: string, name: string) => join(target, name);

  type Spoil = readonly [what: string, moved: readonly string[], spoil: (target: string) => void];
  const spoils: readonly Spoil[] = [
    ["nothing", [], () => undefined],
    ["a mode", ["plain"], (target) => fs.chmodSync(at(target, "plain"), 0o600)],
    ["an owner", ["plain"], (target) => fs.chownSync(at(target, "plain"), 1, 1)],
    ["the owner of a link", ["link"], (target) => fs.lchownSync(at(target, "link"), 1, 1)],
    ["a time", ["noted"], (target) => fs.utimesSync(at(target, "noted"), 5, 5)],
    ["the time of a link", ["link"], (target) => fs.lutimesSync(at(target, "link"), 5, 5)],
    ["a value", ["noted"], (target) => run("setfattr", ["-n", "user.note", "-v", "no", "noted"], target)],
    ["a lost attribute", ["folder"], (target) => run("setfattr", ["-x", "user.note", "folder"], target)],
    ["an attribute too many", ["large"], (target) => run("setfattr", ["-n", "user.x", "large"], target)],
    ["an ACL", ["listed"], (target) => run("setfacl", ["-m", "u:1234:r", "listed"], target)],
    ["a lost ACL", ["listed"], (target) => run("setfacl", ["-b", "listed"], target)],
    ["an ACL too many", ["pipe"], (target) => run("setfacl", ["-m", "u:1234:r", "pipe"], target)],
    ["the mode of a file with an ACL", ["listed"], (target) => fs.chmodSync(at(target, "listed"), 0o604)],
    ["the mode of a FIFO", ["pipe"], (target) => fs.chmodSync(at(target, "pipe"), 0o777)],
    ["the mode of a linked file", ["one", "two"], (target) => fs.chmodSync(at(target, "one"), 0o777)],
    ["the time of a folder", ["folder"], (target) => fs.utimesSync(at(target, "folder"), 5, 5)],
    [
      "a file in a folder",
      ["folder", join("folder", "below")],
      (target) => fs.writeFileSync(join(target, "folder", "below"), "other"),
    ],
    [
      "a byte in a large file",
      ["large"],
      (target) => {
        const fd = fs.openSync(at(target, "large"), "r+");
        fs.writeSync(fd, "x", 70 * MiB);
        fs.closeSync(fd);
      },
    ],
  ];

  test.each(spoils.filter(([what]) => isRoot || !what.includes("owner")))(
    "%s",
    { timeout: 60_000 },
    async (_, moved, spoil) => {
      const target = temporaryFolder();
      const probes = temporaryFolder();
      await restoreTo(target, vault, row);
      expect(checkTree(tree, Buffer.from(target))).toEqual([]);
      const before = changeTimes(target);
      clockTicks(probes);
      spoil(target);
      const result = await restoreTo(target, vault, row);
      expect(result.notes).toEqual([]);
      expect(checkTree(tree, Buffer.from(target))).toEqual([]);
      const after = changeTimes(target);
      expect([...after.keys()].filter((name) => after.get(name) !== before.get(name)).sort()).toEqual(
        [...moved].sort(),
      );
    },
  );
});

test.skipIf(!platform.capabilities.holes)(
  "holes that were filled are holes again, in place too",
  { timeout: 60_000 },
  async () => {
    const tree = treeOf();
    const vault = new FixtureVault();
    const row = vault.snapshot(tree);
    const target = temporaryFolder();
    await restoreTo(target, vault, row);
    const [large, holes] = [join(target, "large"), join(target, "holes")];
    const right = [roomOf(large), roomOf(holes)];
    expect(right.map(({ map }) => map.length)).toEqual([7, 6]);
    const { ino } = fs.statSync(large);
    const fill = (path: string, holes: number, part: number, byte: number): void => {
      const { map } = roomOf(path);
      const fd = fs.openSync(path, "r+");
      for (let i = 0; i < holes; i++) {
        const [from, to] = [map[i]?.[1] as number, map[i + 1]?.[0] as number];
        fs.writeSync(fd, Buffer.alloc((to - from) * part, byte), 0, undefined, from);
      }
      fs.fsyncSync(fd);
      fs.closeSync(fd);
    };
    for (const byte of [0, 7]) {
      // Of the smaller file all: where some holes are left, its content alone decides.
      fill(large, 2, byte === 0 ? 1 : 0.4, byte);
      const tail = fs.openSync(large, "r+");
      fs.writeSync(tail, Buffer.alloc(3000, byte), 0, 3000, fs.fstatSync(tail).size - 3000);
      fs.fsyncSync(tail);
      fs.closeSync(tail);
      fill(holes, 5, 1, byte);
      expect(roomOf(large).map).not.toEqual(right[0]?.map);
      expect(await restoreTo(target, vault, row, { threads: 2 })).toMatchObject({ errors: 0, notes: [] });
      for (const [i, path] of [large, holes].entries()) {
        const { map, blocks } = roomOf(path);
        expect(map).toEqual(right[i]?.map);
        // A file system may need a block more to note where data is.
        expect(blocks).toBeLessThan((right[i]?.blocks as number) + 64);
      }
      expect(fs.statSync(large).ino).toBe(ino);
      expect(checkTree(tree, Buffer.from(target))).toEqual([]);
    }
  },
);
