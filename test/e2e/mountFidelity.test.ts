// The drive that `agent mount` makes, compared with what was backed up by the tools that compare restored trees.
//
// Nothing is exempt: sockets, which those tools leave out, are looked at apart. What stat tells besides and a drive does not
// show is access times; how much room files take is there the sum of their data, which tools go by that copy sparse files.

import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canRun } from "../faults/requirements.ts";
import { compareTrees, rsyncDifferences, tarDigest } from "../fidelity/compareTrees.ts";
import { buildNastyTree, type NastyTree } from "../fidelity/nastyTree.ts";
import { removeTree, run } from "../fidelity/tool.ts";
import { eventsOf } from "./jsonLines.ts";
import { done, enroll, mountsBelow, openSite, Program } from "./program.ts";

const seed = Number(process.env.HOLDFAST_SEED ?? 11);
const ready = canRun("fidelity of drives", "mount", "rsync", "getfattr", "getfacl", "xfs_io");

const block = 4096;

/** Where the runs of data of a scattered file begin. */
function placesOf(size: number, runs: number): number[] {
  const step = size / runs - ((size / runs) % block);
  return Array.from({ length: runs }, (_, i) => i * step + (i % 2) * block);
}

/** Makes a file of that size with so many runs of data, a block each. */
function scatter(path: string, size: number, runs: number): void {
  const fd = fs.openSync(path, "w");
  fs.ftruncateSync(fd, size);
  for (const [i, at] of placesOf(size, runs).entries())
    fs.writeSync(fd, Buffer.alloc(block, `run ${i} `), 0, block, at);
  fs.fsyncSync(fd);
  fs.closeSync(fd);
}

/** Whether two scattered files have the same size and the same runs. */
function compareScattered(one: string, other: string): boolean {
  const { size } = fs.statSync(other);
  if (fs.statSync(one).size !== size) return false;
  const fds = [one, other].map((path) => fs.openSync(path, "r"));
  try {
    return placesOf(size, size > 2 ** 30 ? 1000 : 40).every((at) => {
      const [a, b] = fds.map((fd) => {
        const bytes = Buffer.alloc(2 * block);
        fs.readSync(fd, bytes, 0, bytes.length, at);
        return bytes;
      });
      return a?.equals(b as Buffer) === true;
    });
  } finally {
    for (const fd of fds) fs.closeSync(fd);
  }
}

describe.skipIf(!ready)(`fidelity of a drive (seed ${seed})`, () => {
  const base = ready ? fs.mkdtempSync("/var/tmp/holdfast-drive-") : "";
  const source = join(base, "source");
  const point = join(base, "drive");
  const items = join(point, "alice/laptop/files");
  const seen = join(items, "latest", source);
  const holey = join(base, "holey");
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
    eventsOf(await done("agent", "backup", source, holey, "--state", state, "--json")).at(-1);

  beforeAll(async () => {
    state = await enroll(await openSite((step) => undo.push(step)), "laptop");
    fs.mkdirSync(source);
    fs.mkdirSync(point);
    fs.mkdirSync(holey);
    scatter(join(holey, "terabyte"), 2 ** 40, 1000);
    scatter(join(holey, "small"), 64 * 2 ** 20, 40);
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
    const excludes = ["./deep", "./sparse", "./xattrs"];
    expect(tarDigest(seen, excludes)).toBe(tarDigest(source, excludes));
  });

  it("gives tar what it takes to make the same tree again", () => {
    const copy = join(base, "untarred");
    fs.mkdirSync(copy);
    // tar leaves out sockets, forgets that pipes are linked, and cannot reach what is deeper than a path may be.
    const pack = `tar -C "$1" --exclude=./deep -S --xattrs --xattrs-include='*' --acls -cf - . 2>/dev/null`;
    const unpack = `tar -C "$2" -S --xattrs --xattrs-include='*' --acls --numeric-owner -xpf -`;
    run("bash", ["-c", `set -o pipefail; ${pack} | ${unpack}`, "bash", seen, copy], base);
    const beyondTar = /^(deep(\/.*)?|special\/fifo(Link)?)$/;
    expect(compareTrees(source, copy).filter(({ path }) => !beyondTar.test(path))).toEqual([]);
    removeTree(copy);
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

  it("tells tools how much room sparse files of many extents take", () => {
    const from = join(items, "latest", holey);
    for (const [name, runs] of [
      ["terabyte", 1000],
      ["small", 40],
    ] as const) {
      expect(fs.statSync(join(from, name)).blocks, name).toBe(runs * 8);
      expect(Number(run("du", ["-B1", name], from).toString().split("\t")[0])).toBe(runs * 4096);
      expect(run("xfs_io", ["-r", "-c", "seek -a -r 0", name], from)).toEqual(
        run("xfs_io", ["-r", "-c", "seek -a -r 0", name], holey),
      );
    }
    // Each of these would take hours over the holes of a terabyte, were it to read them; rsync reads all, so it gets the small one.
    const copies = join(base, "copies");
    fs.mkdirSync(copies);
    run("cp", ["--sparse=auto", "terabyte", join(copies, "terabyte")], from);
    run("tar", ["-S", "-cf", join(copies, "terabyte.tar"), "terabyte"], from);
    expect(fs.statSync(join(copies, "terabyte.tar")).size).toBeLessThan(8 * 2 ** 20);
    fs.mkdirSync(join(copies, "untarred"));
    run("tar", ["-S", "-xf", join(copies, "terabyte.tar")], join(copies, "untarred"));
    run("rsync", ["-S", "small", join(copies, "small")], from);
    run("cp", ["--sparse=never", "small", join(copies, "small-whole")], from);
    expect(fs.readFileSync(join(copies, "small")).equals(fs.readFileSync(join(holey, "small")))).toBe(true);
    expect(fs.readFileSync(join(copies, "small-whole")).equals(fs.readFileSync(join(holey, "small")))).toBe(
      true,
    );
    for (const copy of ["terabyte", "untarred/terabyte", "small"]) {
      const name = copy.slice(copy.indexOf("/") + 1);
      expect(fs.statSync(join(copies, copy)).blocks, copy).toBeLessThan(
        2 * fs.statSync(join(holey, name)).blocks,
      );
      expect(compareScattered(join(copies, copy), join(holey, name)), copy).toBe(true);
    }
    fs.rmSync(copies, { recursive: true });
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
    await expect.poll(() => fs.readdirSync(items).length, { interval: 50 }).toBe(before.length + 1);
    console.log(
      `backup ${Math.round(committed - started)} ms, seen ${Math.round(performance.now() - committed)} ms after its end`,
    );
    await expect.poll(() => fs.readlinkSync(join(items, "latest")), { interval: 50 }).not.toBe(first);
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
