// The drive that `agent mount` makes, compared with what was backed up by the tools that compare restored trees.
//
// Nothing is exempt: sockets, which those tools leave out, are looked at apart. What stat tells besides and a drive does not
// show is access times and, of files of more than 8 extents, how much room they take: they seem to have no holes until SEEK_DATA is
// asked. Both are no part of the comparison.

import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canRun } from "../faults/requirements.ts";
import { compareTrees, rsyncDifferences } from "../fidelity/compareTrees.ts";
import { buildNastyTree, type NastyTree } from "../fidelity/nastyTree.ts";
import { removeTree, run } from "../fidelity/tool.ts";
import { eventsOf } from "./jsonLines.ts";
import { done, enroll, mountsBelow, openSite, Program } from "./program.ts";

const seed = Number(process.env.HOLDFAST_SEED ?? 11);
const ready = canRun("fidelity of drives", "mount", "rsync", "getfattr", "getfacl", "xfs_io");

describe.skipIf(!ready)(`fidelity of a drive (seed ${seed})`, () => {
  const base = ready ? fs.mkdtempSync("/var/tmp/holdfast-drive-") : "";
  const source = join(base, "source");
  const point = join(base, "drive");
  const items = join(point, "alice/laptop/files");
  const seen = join(items, "latest", source);
  const undo: (() => void | Promise<void>)[] = [];
  let state: string;
  let tree: NastyTree;
  let drive: Program;

  async function mount(): Promise<Program> {
    const program = new Program(["agent", "mount", point, "--foreground", "--allow-other", "--state", state]);
    undo.push(async () => {
      await program.stop("SIGKILL");
      if (mountsBelow(base).includes(point)) run("umount", ["-l", point], "/");
    });
    await program.printed(/The drive is at/);
    return program;
  }

  const backup = async () =>
    eventsOf(await done("agent", "backup", source, "--state", state, "--json")).at(-1);

  beforeAll(async () => {
    state = await enroll(await openSite((step) => undo.push(step)), "laptop");
    fs.mkdirSync(source);
    fs.mkdirSync(point);
    tree = await buildNastyTree(source, { seed, entries: 1500 });
    expect(await backup()).toMatchObject({ warnings: 0 });
    drive = await mount();
  });
  afterAll(async () => {
    for (const step of undo.reverse()) await step();
    if (base !== "") removeTree(base);
  });

  it("shows every byte and attribute, every hole and every group of hard links", () => {
    expect(compareTrees(source, seen)).toEqual([]);
  });

  it("shows the same to rsync, diff and tar", () => {
    expect(rsyncDifferences(source, seen, tree.rsyncExcludes)).toEqual([]);
    // diff cannot look into devices, and reads holes whole.
    for (const part of ["names", "content", "large", "modes", "owners", "times"])
      run("diff", ["-r", "--no-dereference", join(source, part), join(seen, part)], base);
    // Without access times, which no snapshot has, and without the order in which a file system lists attributes.
    const options =
      "--sort=name --xattrs --acls --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime";
    const excludes = "--exclude=./deep --exclude=./sparse --exclude=./xattrs";
    const pack = (root: string): string =>
      run("bash", ["-c", `set -o pipefail; tar -cf - ${options} ${excludes} . | sha256sum`], root).toString();
    expect(pack(seen)).toBe(pack(source));
  });

  it("shows sockets and devices as nodes of their kinds", () => {
    const nodes = (root: string): string =>
      run(
        "find",
        [
          ".",
          "(",
          "-type",
          "s",
          "-o",
          "-type",
          "b",
          "-o",
          "-type",
          "c",
          ")",
          "-printf",
          "%P %y %m %U:%G %T@\n",
        ],
        root,
      )
        .toString()
        .split("\n")
        .sort()
        .join("\n");
    expect(nodes(seen)).toBe(nodes(source));
    for (const path of tree.sockets) expect(nodes(seen)).toContain(`${path} s`);
  });

  it("finds the data of 1 TiB by its map, without reading through the holes", () => {
    const path = join(seen, "sparse/scattered");
    expect(fs.statSync(path).size).toBe(2 ** 40);
    const map = (root: string): string =>
      run("xfs_io", ["-r", "-c", "seek -a -r 0", "sparse/scattered"], root).toString();
    expect(map(seen)).toBe(map(source));
    expect(map(seen).match(/DATA/g)).toHaveLength(16);
  });

  it("gives the names of one file one inode", () => {
    const inode = (path: string): number => fs.lstatSync(join(seen, "links", path)).ino;
    for (const name of ["again", "a/b/third", "z/fourth", "0first"])
      expect(inode(name), name).toBe(inode("a/original"));
    expect(inode("sameContentNoLink")).not.toBe(inode("a/original"));
    expect(fs.lstatSync(join(seen, "links/a/original")).nlink).toBe(5);
  });

  it("refuses every change", () => {
    const attempts = [
      () => fs.writeFileSync(join(seen, "content/f1"), "x"),
      () => fs.rmSync(join(seen, "content/f1")),
      () => fs.mkdirSync(join(seen, "new")),
      () => fs.chmodSync(join(seen, "content/f1"), 0o777),
    ];
    for (const attempt of attempts) expect(attempt).toThrow(/EROFS|Read-only/);
  });

  it("shows a new snapshot by itself, and `latest` follows it", async () => {
    const before = fs.readdirSync(items);
    const first = fs.readlinkSync(join(items, "latest"));
    expect(before).toContain(first);
    fs.writeFileSync(join(source, "content/added"), "later");
    const started = performance.now();
    await backup();
    const committed = performance.now();
    await expect
      .poll(() => fs.readdirSync(items).length, { timeout: 20_000, interval: 50 })
      .toBe(before.length + 1);
    console.log(
      `backup ${Math.round(committed - started)} ms, seen ${Math.round(performance.now() - committed)} ms after its end`,
    );
    await expect
      .poll(() => fs.readlinkSync(join(items, "latest")), { timeout: 20_000, interval: 50 })
      .not.toBe(first);
    expect(fs.readFileSync(join(seen, "content/added"), "utf8")).toBe("later");
    expect(fs.existsSync(join(items, first, source, "content/added"))).toBe(false);
  });

  it("unmounts on SIGTERM; after kill -9 it is mounted again", async () => {
    const ended = await drive.stop("SIGTERM");
    expect(ended).toMatchObject({ status: 0 });
    expect(mountsBelow(base)).toEqual([]);
    const killed = await mount();
    await killed.stop("SIGKILL");
    expect(() => fs.readdirSync(point)).toThrow(/ENOTCONN|EIO/);
    const again = await mount();
    expect(compareTrees(join(source, "xattrs"), join(seen, "xattrs"))).toEqual([]);
    expect(await again.stop("SIGTERM")).toMatchObject({ status: 0 });
    expect(mountsBelow(base)).toEqual([]);
  });
});
