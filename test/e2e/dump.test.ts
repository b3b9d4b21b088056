// `agent dump` against a real gateway: a tree with everything that a backup can get wrong goes through tar and comes back the same, as
// the outside tools see it that compare restored trees.

import { execFileSync, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canRun } from "../faults/requirements.ts";
import { compareTrees } from "../fidelity/compareTrees.ts";
import { buildNastyTree, type NastyTree } from "../fidelity/nastyTree.ts";
import { removeTree, run } from "../fidelity/tool.ts";
import { done, enroll, holdfast, openSite, program, type Site } from "./program.ts";

const seed = Number(process.env.HOLDFAST_SEED ?? 12);
const ready = canRun("dumps", "tar", "bsdtar", "unzip", "getfattr", "getfacl", "xfs_io", "script");

/** Runs a shell pipeline with `dump` as the program; gives its status and what it said. */
function shell(script: string, ...dump: string[]): { status: number | null; stdout: string; stderr: string } {
  const words = [script, "bash", ...program("agent", "dump", ...dump)];
  return spawnSync("bash", ["-c", ...words], {
    encoding: "latin1",
    maxBuffer: 2 ** 28,
    env: { ...process.env, LC_ALL: "C.UTF-8", TZ: "UTC" },
  });
}

describe.skipIf(!ready)(`agent dump (seed ${seed})`, () => {
  const base = ready ? fs.mkdtempSync("/var/tmp/holdfast-dump-") : "";
  const source = join(base, "source");
  const undo: (() => void | Promise<void>)[] = [];
  let site: Site;
  let state: string;
  let tree: NastyTree;

  beforeAll(async () => {
    site = await openSite((step) => undo.push(step));
    state = await enroll(site, "laptop");
    fs.mkdirSync(source);
    tree = await buildNastyTree(source, { seed, entries: 1500 });
    await done("agent", "backup", source, "--state", state);
  });
  afterAll(async () => {
    for (const step of undo.reverse()) await step();
    if (base !== "") removeTree(base);
  });

  it("through tar x gives back every byte and attribute, every hole and every group of hard links", () => {
    const out = join(base, "out");
    fs.mkdirSync(out);
    const extract = `tar -x -p --xattrs --xattrs-include='*' --acls --numeric-owner --warning=no-timestamp -C ${out}`;
    // GNU tar goes no deeper than PATH_MAX: that folder is listed by Python below.
    const script = `set -o pipefail; "$@" | ${extract} --exclude=source/deep`;
    const ran = shell(script, `latest:${source}`, "--state", state);
    expect(ran.stderr.split("\n").filter((line) => !/: note: .*socket/.test(line) && line !== "")).toEqual(
      [],
    );
    expect(ran.status).toBe(0);
    const whole = join(base, "whole");
    fs.mkdirSync(whole);
    fs.renameSync(join(source, "deep"), join(whole, "deep"));
    try {
      execFileSync("touch", ["-r", join(out, "source"), source]);
      expect(compareTrees(source, join(out, "source"))).toEqual([]);
    } finally {
      fs.renameSync(join(whole, "deep"), join(source, "deep"));
    }
    expect(tree.sockets.length).toBeGreaterThan(0);
  });

  it("lists the same to another program, however deep", () => {
    const list = `import sys, tarfile
names = [m.name for m in tarfile.open(fileobj=sys.stdin.buffer, mode="r|", encoding="utf-8", errors="surrogateescape")]
sys.stdout.buffer.write("\\0".join(sorted(names)).encode("utf-8", "surrogateescape"))`;
    const script = `set -o pipefail; "$@" 2>/dev/null | /usr/bin/python3 -c '${list}'`;
    const ran = shell(script, `latest:${source}`, "--state", state);
    const found = run("find", ["source", "!", "-type", "s", "-print0"], base).toString("latin1");
    expect(ran.stdout.split("\0").toSorted()).toEqual(found.split("\0").slice(0, -1).toSorted());
  });

  it("writes a ZIP that is whole, and says with status 3 what it has no place for", () => {
    const zip = join(base, "a.zip");
    const ran = shell(`"$@" > ${zip}`, `latest:${source}/special`, "--format", "zip", "--state", state);
    expect(ran).toMatchObject({ status: 3, stderr: expect.stringContaining("ZIP has no place for devices") });
    expect(
      shell(`"$@" > ${zip}`, `latest:${source}/content`, "--format=zip", "--state", state),
    ).toMatchObject({
      status: 0,
      stderr: "",
    });
    run("unzip", ["-q", "a.zip"], base);
    run("diff", ["-r", join(source, "content"), join(base, "content")], base);
  });

  it("takes one file, a whole snapshot, and bytes that are not UTF-8", () => {
    const one = "one";
    const list = shell('"$@" | tar -t', `latest:${source}/xattrs/${one}`, "--state", state);
    expect(list).toMatchObject({ status: 0, stdout: `${one}\n` });
    const all = shell(
      '"$@" 2>/dev/null | tar -t --quoting-style=literal | head -n 3',
      "latest",
      "--state",
      state,
    );
    expect(all.stdout.split("\n").slice(0, 2)).toEqual(["var/", "var/tmp/"]);
  });

  it("ends quietly when its reader leaves", () => {
    const ran = shell('"$@" | head -c 10 | wc -c; echo "$PIPESTATUS"', "latest", "--state", state);
    expect(ran.stdout).toBe("10\n0\n");
    expect(ran.stderr.replaceAll(/^.*: note: .*\n/gm, "")).toBe("");
  });

  it("refuses a terminal, --json, and what is not there", async () => {
    const [node = "", ...words] = program("agent", "dump", "latest", "--state", state);
    const terminal = spawnSync("script", ["-qec", [node, ...words].join(" "), "/dev/null"], {
      encoding: "utf8",
    });
    expect(terminal).toMatchObject({ status: 2, stdout: expect.stringContaining("not for a terminal") });
    expect(await holdfast("agent", "dump", "latest", "--json", "--state", state)).toMatchObject({
      status: 2,
    });
    const missing = await holdfast("agent", "dump", "latest:/not/there", "--state", state);
    expect(missing).toMatchObject({
      status: 1,
      stdout: "",
      stderr: expect.stringContaining("not in this snapshot"),
    });
  });

  it("ends with status 1 and the file's name where a chunk is damaged, and tar fails with it", async () => {
    const folder = join(base, "bad");
    fs.mkdirSync(folder);
    fs.writeFileSync(join(folder, "a"), "before");
    fs.writeFileSync(join(folder, "large"), randomBytes(3_000_000));
    const before = packsOf(site.data);
    await done("agent", "backup", folder, "--item", "bad", "--state", state);
    for (const [pack, bytes] of packsOf(site.data)) {
      const old = before.get(pack) ?? 0;
      if (bytes > old + 2_000_000) spoil(pack, old);
    }
    const script = 'set -o pipefail; ("$@"; echo "dump $?" >&2) | tar -t; echo "tar $?"';
    const ran = shell(script, `latest:${folder}`, "--item", "bad", "--state", state);
    expect(ran.stdout).toMatch(/^tar 2$/m);
    expect(ran.stderr).toMatch(/^dump 1$/m);
    expect(ran.stderr).toMatch(/bad\/(large|a): .*damaged/);
  });
});

/** All pack files of a data directory, with their sizes. */
function packsOf(data: string): Map<string, number> {
  const files = fs.readdirSync(data, { recursive: true, withFileTypes: true });
  const packs = files.filter((file) => file.isFile() && /\/(packs|open)(\/|$)/.test(file.parentPath));
  return new Map(
    packs.map(({ parentPath, name }) => [join(parentPath, name), fs.statSync(join(parentPath, name)).size]),
  );
}

/** Turns bytes in the first records after `from`. */
function spoil(pack: string, from: number): void {
  const fd = fs.openSync(pack, "r+");
  for (let at = from + 700; at < from + 500_000; at += 50_000)
    fs.writeSync(fd, Buffer.alloc(16, 0xa5), 0, 16, at);
  fs.closeSync(fd);
}
