// A tree of everything a backup can get wrong, through the program and back: agent, HTTPS, gateway, agent. Outside programs
// compare (test/fidelity), which are proven on planted differences.

import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canRun } from "../faults/requirements.ts";
import { compareTrees, rsyncDifferences, tarDigest } from "../fidelity/compareTrees.ts";
import { buildNastyTree, type NastyTree } from "../fidelity/nastyTree.ts";
import { openFolder, removeTree, run } from "../fidelity/tool.ts";
import { type Event, eventsOf } from "./jsonLines.ts";
import { enroll, openSite, done as stdoutOf } from "./program.ts";

const seed = Number(process.env.HOLDFAST_SEED ?? 7);
const TiB = 2 ** 40;
const GiB = 2 ** 30;

const ready = canRun("fidelity", "rsync", "getfattr", "getfacl", "xfs_io");

describe.skipIf(!ready)(`fidelity through the program (seed ${seed})`, () => {
  // Not below /tmp, which may be a tmpfs: that keeps no user attributes and cuts holes differently.
  const base = ready ? fs.mkdtempSync("/var/tmp/holdfast-fidelity-") : "";
  const source = join(base, "source");
  const target = join(base, "target");
  const undo: (() => void | Promise<void>)[] = [];
  let state: string;
  let tree: NastyTree;
  let backedUp: Event[];

  beforeAll(async () => {
    state = await enroll(await openSite((step) => undo.push(step)), "laptop");
    fs.mkdirSync(source);
    tree = await buildNastyTree(source, { seed, entries: 1500 });
    backedUp = await agent("backup", source);
  });
  afterAll(async () => {
    for (const step of undo.reverse()) await step();
    if (base !== "") removeTree(base);
  });

  /** Runs an agent's command that must end with status 0; gives what it told. */
  async function agent(...args: string[]): Promise<Event[]> {
    return eventsOf(await stdoutOf("agent", ...args, "--state", state, "--json"));
  }

  function restore(path: string, to: string, ...options: string[]): Promise<Event[]> {
    return agent("restore", `latest:${path}`, "--target", to, ...options);
  }

  /** Inode and time of last change of every file, by path: what shows that one was touched. */
  function touched(root: string, ...fields: string[]): Map<string, string> {
    const format = `%P\\0${fields.join(" ")}\\0`;
    const words = run("find", [".", "!", "-type", "d", "-printf", format], root)
      .toString("latin1")
      .split("\0");
    const all = new Map<string, string>();
    for (let at = 0; at + 1 < words.length; at += 2) all.set(words[at] as string, words[at + 1] as string);
    return all;
  }

  function changes(before: Map<string, string>, after: Map<string, string>): string[] {
    return [...new Set([...before.keys(), ...after.keys()])]
      .filter((path) => before.get(path) !== after.get(path))
      .sort();
  }

  function expectSame(restored: string): void {
    expect(compareTrees(source, restored)).toEqual([]);
    expect(rsyncDifferences(source, restored, tree.rsyncExcludes)).toEqual([]);
    const beyondTar = ["./deep", "./sparse", "./xattrs"];
    expect(tarDigest(restored, beyondTar)).toBe(tarDigest(source, beyondTar));
  }

  it("backs up without a warning, and a file of 1 TiB by its data alone", () => {
    expect(backedUp.map(({ event }) => event)).toEqual(["done"]);
    expect(backedUp[0]?.bytes).toBeGreaterThan(TiB);
    expect(backedUp[0]?.sent_bytes).toBeLessThan(32 * 2 ** 20);
  });

  it("brings everything back but sockets, which it notes", async () => {
    const events = await restore(source, target);
    const notes = tree.sockets.map((path) => ["note", join(source, path)]);
    expect(events.map(({ event, path }) => [event, path])).toEqual([...notes, ["done", undefined]]);
    expectSame(target);
  });

  it("does the same below a target that is itself too long for one call", async () => {
    const long = join(base, "long", ...Array.from({ length: 18 }, () => "t".repeat(200)));
    expect((await restore(source, long)).at(-1)).toMatchObject({ event: "done", warnings: 0 });
    expect(compareTrees(source, long)).toEqual([]);
  });

  it("restores the whole snapshot with its absolute paths", async () => {
    const whole = join(base, "whole");
    await restore("/", whole);
    expect(compareTrees(source, join(whole, source))).toEqual([]);
    // Folders above what was backed up come with their attributes.
    expect(compareTrees(join(whole, base), base, { without: ["mtime"] })).not.toContainEqual(
      expect.objectContaining({ path: "" }),
    );
    removeTree(whole);
  });

  it("fetches nothing and replaces nothing where all is right", async () => {
    const before = touched(target, "%i", "%T@");
    const done = (await restore(source, target)).at(-1);
    expect(done).toMatchObject({ fetched_bytes: 0, deleted: 0, kept: 0, warnings: 0 });
    expect(changes(before, touched(target, "%i", "%T@"))).toEqual([]);
    expectSame(target);
  });

  it("puts right what differs, and only that", async () => {
    const at = (path: string): string => join(target, path);
    fs.appendFileSync(at("content/f4096"), "longer");
    fs.writeFileSync(at("content/f65536"), Buffer.alloc(65_536, 1));
    fs.rmSync(at("content/f511"));
    fs.rmSync(at("content/d1"), { recursive: true });
    fs.chmodSync(at("modes/f0644"), 0o600);
    fs.chownSync(at("owners/0-0"), 5, 6);
    fs.utimesSync(at("times/f0"), 5, 5);
    run("setfattr", ["-n", "user.stranger", "-v", "1", "xattrs/many"], target);
    run("setfattr", ["-x", "user.note", "xattrs/one"], target);
    run("setfacl", ["-b", "acls/user"], target);
    run("setfacl", ["-k", "acls/default"], target);
    fs.rmSync(at("links/z/fourth"));
    fs.writeFileSync(at("links/z/fourth"), "linked");
    fs.rmSync(at("links/dangling"));
    fs.symlinkSync("elsewhere", at("links/dangling"));
    fs.rmSync(at("links/sameContentNoLink"));
    fs.linkSync(at("links/0first"), at("links/sameContentNoLink"));
    fs.rmSync(at("special/null"));
    fs.writeFileSync(at("special/null"), "not a device");
    fs.writeFileSync(at("sparse/oddHole"), Buffer.alloc(12_345));
    const inHole = 12_345_678_901;
    const scattered = fs.openSync(at("sparse/scattered"), "r+");
    fs.writeSync(scattered, "a change in data", 1);
    fs.writeSync(scattered, "a change in a hole", inHole);
    const before = touched(target, "%i");
    const done = (await restore(source, target)).at(-1);
    expect(done).toMatchObject({ warnings: 0, deleted: 0 });
    // Of 12 MiB. Small files come with the bundles that they share, whose ends depend on the vault's keys.
    expect(done?.fetched_bytes).toBeLessThan(2 * 2 ** 20);
    // A file as large as this is mended in place: what was written into a hole becomes zeros, and a hole only when it is made anew.
    const bytes = Buffer.alloc(100, 1);
    fs.readSync(scattered, bytes, 0, 100, inHole);
    fs.closeSync(scattered);
    expect(bytes).toEqual(Buffer.alloc(100));
    fs.rmSync(at("sparse/scattered"));
    await restore(source, target);
    expectSame(target);
    const replaced = changes(before, touched(target, "%i"));
    const expected =
      /^(content\/(f4096|f65536|f511|d1\/.*)|links\/.*|special\/null|sparse\/(oddHole|scattered))$/;
    expect(replaced.filter((path) => !expected.test(path))).toEqual([]);
  });

  it("removes strangers with --delete alone, and tells beforehand with --dry-run", async () => {
    const strangers = ["stranger", "content/stranger", "large/stranger/deep"];
    fs.mkdirSync(join(target, "large/stranger"));
    for (const path of strangers) fs.writeFileSync(join(target, path), "s");
    fs.rmSync(join(target, "content/f1"));
    await restore(source, target);
    for (const path of strangers) expect(fs.existsSync(join(target, path)), path).toBe(true);
    fs.rmSync(join(target, "content/f1"));

    const before = touched(target, "%i", "%T@", "%C@");
    const told = await restore(source, target, "--delete", "--dry-run");
    expect(changes(before, touched(target, "%i", "%T@", "%C@"))).toEqual([]);
    const would = told.filter(({ event }) => event === "would").map(({ action, path }) => [action, path]);
    expect(would).toContainEqual(["create", "content/f1"]);
    for (const path of ["stranger", "content/stranger", "large/stranger"])
      expect(would).toContainEqual(["delete", path]);

    const done = (await restore(source, target, "--delete")).at(-1);
    // The folder counts as well.
    expect(done).toMatchObject({ warnings: 0, deleted: 4 });
    // A target that was there keeps its own attributes: it is the caller's.
    run("touch", ["-r", source, target], base);
    expectSame(target);
  });

  it("overwrites never, if newer, or always", async () => {
    const files = { older: 1_000_000_000, newer: 4_000_000_000 };
    const from = join(source, "content/d0/e0");
    const to = join(base, "overwrite");
    const [name, other] = fs.readdirSync(from).sort() as [string, string];
    const original = fs.readFileSync(join(from, name));
    const plant = (mtime: number): void => {
      fs.rmSync(to, { recursive: true, force: true });
      fs.mkdirSync(to);
      fs.writeFileSync(join(to, name), "mine");
      fs.utimesSync(join(to, name), mtime, mtime);
    };
    const cases = [
      ["never", "older", true],
      ["never", "newer", true],
      ["newer", "older", false],
      ["newer", "newer", true],
      ["always", "newer", false],
    ] as const;
    for (const [overwrite, age, kept] of cases) {
      plant(files[age]);
      const done = (await restore(from, to, "--overwrite", overwrite)).at(-1);
      expect(done, `${overwrite}, ${age}`).toMatchObject({ kept: kept ? 1 : 0, warnings: 0 });
      const now = fs.readFileSync(join(to, name));
      expect(now.equals(kept ? Buffer.from("mine") : original), `${overwrite}, ${age}`).toBe(true);
      expect(fs.readFileSync(join(to, other)).equals(fs.readFileSync(join(from, other)))).toBe(true);
    }
  });

  it("restores one file, one folder, and names that are not UTF-8", async () => {
    const file = join(base, "one");
    const done = (await restore(join(source, "content/f4097"), file)).at(-1);
    expect(done).toMatchObject({ files: 1, warnings: 0 });
    expect(fs.readFileSync(join(file, "f4097")).equals(fs.readFileSync(join(source, "content/f4097")))).toBe(
      true,
    );
    for (const part of ["xattrs", "deep", "sparse", "links"]) {
      const folder = join(base, "part", part);
      await restore(join(source, part), folder);
      expect(compareTrees(join(source, part), folder), part).toEqual([]);
    }
    const odd = join(base, "odd");
    await restore(join(source, "names/\\xc3(\\x0a\\xff"), odd);
    expect(fs.readFileSync(join(odd, "file"), "utf8")).toBe("below a name that is not UTF-8");
  });

  it("takes a folder of 100,000 entries and a file of over 4 GiB", async () => {
    const folder = join(base, "big");
    const many = join(folder, "many");
    fs.mkdirSync(many, { recursive: true });
    const { fd, folder: inMany } = openFolder(many, []);
    run("split", ["-a", "6", "-d", "-l", "1", "-", "entry"], inMany, Buffer.from(numbers(100_000)));
    fs.closeSync(fd);
    fs.mkdirSync(join(folder, "large"));
    const file = fs.openSync(join(folder, "large/over 4 GiB"), "w");
    fs.ftruncateSync(file, 5 * GiB + 3);
    for (const at of [0, GiB, 4 * GiB - 2048, 4 * GiB + 1234 * 4096, 5 * GiB - 8]) {
      fs.writeSync(file, Buffer.alloc(8192, `data at ${at} `), 0, at > 5 * GiB - 9 ? 11 : 8192, at);
    }
    fs.closeSync(file);
    const backup = (await agent("backup", folder, "--item", "big")).at(-1);
    expect(backup).toMatchObject({ files: 100_001, warnings: 0 });
    const restored = join(base, "big restored");
    const options = ["--item", "big"];
    expect((await restore(folder, restored, ...options)).at(-1)).toMatchObject({
      files: 100_001,
      warnings: 0,
    });
    expect(compareTrees(folder, restored, { without: ["xattrs", "acl"] })).toEqual([]);
  });
});

function numbers(count: number): string {
  return Array.from({ length: count }, (_, index) => `${index}\n`).join("");
}
