// What a backup takes and what it leaves: named paths, filters, links, mounts, caches, and what it may not read.

import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { resolveTopPaths } from "../../../agent/source/topPaths.ts";
import { backupFixture, noise } from "./backupFixture.ts";
import { folderFacts, inodesOf, snapshotFacts } from "./readBack.ts";

const fx = backupFixture();

const paths = (): string[] =>
  [...snapshotFacts(fx.gateway, fx.source).keys()].map((path) => path.slice(fx.source.length + 1)).sort();

function put(...names: readonly string[]): void {
  for (const name of names) {
    mkdirSync(dirname(join(fx.source, name)), { recursive: true });
    writeFileSync(join(fx.source, name), name);
  }
}

/** Patterns that leave out everything beside the source, from the root down. */
function allElse(): string[] {
  const excludes: string[] = [];
  let folder = "/";
  for (const name of fx.source.split("/").slice(1)) {
    for (const other of readdirSync(folder))
      if (other !== name) excludes.push(join(folder, escapeGlob(other)));
    folder = join(folder, name);
  }
  return excludes;
}

const escapeGlob = (name: string): string => name.replace(/[\\*?[\]]/g, "\\$&");

describe("named paths", () => {
  test("the root folder, held to one place by excludes or by an include", async () => {
    fx.smallTree(20);
    for (const how of ["excludes", "includes"]) {
      for (const oneFileSystem of [false, true]) {
        const rules = how === "excludes" ? { excludes: allElse() } : { includes: [fx.source] };
        await fx.run({ paths: resolveTopPaths(["/"]), rules, oneFileSystem });
        expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
        const top = [...snapshotFacts(fx.gateway, "").keys()].filter((path) => path.lastIndexOf("/") === 0);
        // A folder that came into being while we looked may be there with excludes, nothing else.
        expect(top).toContain(`/${fx.source.split("/")[1]}`);
        if (how === "includes") expect(top.length).toBe(1);
      }
    }
  });

  test("nested in each other, and twice", async () => {
    put("a/b/c", "a/d", "e");
    const named = ["a/b", "a", "a/b/c", "a"].map((path) => join(fx.source, path));
    await fx.run({ paths: resolveTopPaths(named) });
    expect(paths()).toEqual(["a", "a/b", "a/b/c", "a/d"]);
  });

  test("meet the excludes, and a single file its includes too", async () => {
    put("a/one", "a/two", "b/one", "c");
    const named = resolveTopPaths(["a", "b", "c"].map((path) => join(fx.source, path)));
    await fx.run({ paths: named, rules: { excludes: ["b", "two"] } });
    expect(paths()).toEqual(["a", "a/one", "c"]);
    await fx.run({ paths: named, rules: { excludes: ["/**/c"] } });
    expect(paths()).toEqual(["a", "a/one", "a/two", "b", "b/one"]);
    await fx.run({ paths: named, rules: { includes: ["/one"] } });
    expect(paths()).toEqual(["a", "a/one", "b", "b/one"]);
    expect(fx.warnings).toEqual([]);
  });

  test("includes keep the folders that lead to something, and no others", async () => {
    put("x/y/keep.txt", "x/z/drop", "w/drop", "keep.txt");
    mkdirSync(join(fx.source, "hollow"));
    await fx.run({ rules: { includes: ["*.txt"] } });
    expect(paths()).toEqual(["keep.txt", "x", "x/y", "x/y/keep.txt"]);
    rmSync(join(fx.source, "x", "y", "keep.txt"));
    await fx.run({ rules: { includes: ["*.txt"] } });
    expect(paths()).toEqual(["keep.txt"]);
  });

  test("a file that vanished since it was named is a warning", async () => {
    put("a", "b");
    const named = resolveTopPaths([join(fx.source, "a"), join(fx.source, "b")]);
    rmSync(join(fx.source, "b"));
    await fx.run({ paths: named });
    expect(paths()).toEqual(["a"]);
    expect(fx.warnings.join()).toMatch(/\/b: no such file/);
  });
});

describe("links", () => {
  test("that lead in circles are links and nothing else", async () => {
    put("a/file");
    symlinkSync("..", join(fx.source, "a", "up"));
    symlinkSync("self", join(fx.source, "self"));
    await fx.run();
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
  });

  test("hard ones stay one file: across folders, with names outside, changed by one of their names", async () => {
    put("a/one", "b/keep");
    for (const name of ["a/two", "b/three", "c-four"])
      linkSync(join(fx.source, "a/one"), join(fx.source, name));
    mkdirSync(join(fx.source, "d"));
    writeFileSync(join(fx.source, "d", "large"), noise(700_000, 3));
    linkSync(join(fx.source, "d", "large"), join(fx.source, "large"));
    linkSync(join(fx.source, "d", "large"), `${fx.source}-outside`);
    const groups = (): number[] => {
      const inodes = inodesOf(fx.gateway, fx.source);
      const of = (...names: string[]) => new Set(names.map((name) => inodes.get(join(fx.source, name)))).size;
      return [
        of("a/one", "a/two", "b/three", "c-four"),
        of("d/large", "large"),
        of("a/one", "b/keep", "large"),
      ];
    };
    const first = await fx.run();
    expect(first.counts).toMatchObject({ files: 7, filesRead: 3 });
    expect(groups()).toEqual([1, 1, 3]);
    writeFileSync(join(fx.source, "b", "three"), "changed through one of its names");
    rmSync(join(fx.source, "large"));
    await fx.run();
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
    // One name becomes a file of its own.
    rmSync(join(fx.source, "a", "two"));
    put("a/two");
    await fx.run();
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
    expect(inodesOf(fx.gateway, fx.source).get(join(fx.source, "a/two"))).not.toBe(
      inodesOf(fx.gateway, fx.source).get(join(fx.source, "a/one")),
    );
    expect(fx.warnings).toEqual([]);
    rmSync(`${fx.source}-outside`);
  });
});

describe("places that are left out", () => {
  test("windows into the kernel, also when they are named", async () => {
    await fx.run({ paths: resolveTopPaths(["/proc", "/sys/kernel"]) });
    const facts = [...snapshotFacts(fx.gateway, "").keys()];
    expect(facts.sort()).toEqual(["/proc", "/sys", "/sys/kernel"]);
    expect(fx.warnings).toEqual([]);
  });

  test("what the gateway that the backup goes to stores, and no other does", async () => {
    put("a/file");
    put("box/vaults/pack");
    put("box/zone");
    const mark = (text: string) => writeFileSync(join(fx.source, "box", "gateway.json"), text);
    mark(JSON.stringify({ format: "holdfast-gateway", version: 1, id: fx.gateway.id }));
    await fx.run();
    expect(paths()).toEqual(["a", "a/file", "box", "box/gateway.json", "box/zone"]);
    const warning = `${join(fx.source, "box/vaults")}: what the gateway that this backup goes to stores; left out`;
    expect(fx.warnings).toEqual([warning]);
    // What is elsewhere, or no gateway's, is a folder like any other; a gateway that does not tell its id has none.
    const all = ["a", "a/file", "box", "box/gateway.json", "box/vaults", "box/vaults/pack", "box/zone"];
    for (const other of [
      JSON.stringify({ format: "holdfast-gateway", version: 1, id: "bb".repeat(16) }),
      JSON.stringify({ format: "another", id: fx.gateway.id }),
      JSON.stringify([fx.gateway.id]),
      "null",
      "{",
      "",
      " ".repeat(100_000),
    ]) {
      mark(other);
      await fx.run();
      expect(paths()).toEqual(all);
    }
    fx.gateway.id = undefined;
    mark(JSON.stringify({ format: "holdfast-gateway", version: 1 }));
    await fx.run();
    expect(paths()).toEqual(all);
    rmSync(join(fx.source, "box", "gateway.json"));
    mkdirSync(join(fx.source, "box", "gateway.json"));
    await fx.run();
    expect(paths()).toEqual(all);
    expect(fx.warnings).toEqual([warning]);
  });

  test.skipIf(process.getuid?.() !== 0)("other file systems, when asked for", async ({ skip }) => {
    put("a/file");
    const inner = join(fx.source, "inner");
    mkdirSync(inner);
    if (spawnSync("mount", ["-t", "tmpfs", "none", inner]).status !== 0) skip("nothing can be mounted here");
    try {
      put("inner/file");
      await fx.run({ oneFileSystem: true });
      expect(paths()).toEqual(["a", "a/file", "inner"]);
      await fx.run();
      expect(paths()).toEqual(["a", "a/file", "inner", "inner/file"]);
      await fx.run({ oneFileSystem: true, paths: resolveTopPaths([join(fx.source, "a"), inner]) });
      expect(paths()).toEqual(["a", "a/file", "inner", "inner/file"]);
    } finally {
      execFileSync("umount", [inner]);
    }
  });

  test("caches, when asked for", async () => {
    put("cache/data", "other/data", "other/CACHEDIR.TAG");
    writeFileSync(join(fx.source, "cache", "CACHEDIR.TAG"), "Signature: 8a477f597d28d172789f06886806bc55\n");
    await fx.run({ excludeCaches: true });
    expect(paths()).toEqual(["cache", "other", "other/CACHEDIR.TAG", "other/data"]);
    await fx.run();
    expect(paths()).toContain("cache/data");
  });
});

describe("what may not be read", () => {
  const program = fileURLToPath(new URL("../../faults/backupMemoryProgram.ts", import.meta.url));
  const nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
  const check = `require("node:fs").accessSync(${JSON.stringify(program)})`;
  const possible =
    process.getuid?.() === 0 && spawnSync("setpriv", [...nobody, process.execPath, "-e", check]).status === 0;
  if (!possible) process.stderr.write("\n*** SKIPPED: no other user can run this program here ***\n\n");

  test.skipIf(!possible)("is a warning with its path, and the rest is taken", () => {
    put("open/file", "closed/file", "listed/file", "mine/file", "secret");
    chmodSync(join(fx.source, "closed"), 0o000);
    chmodSync(join(fx.source, "listed"), 0o444);
    chmodSync(join(fx.source, "secret"), 0o600);
    const base = dirname(fx.source);
    for (let folder = base; folder.includes("holdfast-"); folder = dirname(folder)) chmodSync(folder, 0o777);
    chownSync(join(fx.source, "mine"), 65_534, 65_534);
    const ran = spawnSync("setpriv", [...nobody, process.execPath, program, fx.source, fx.cachePath], {
      encoding: "utf8",
    });
    expect(ran.status, ran.stderr).toBe(0);
    const { counts, warnings } = JSON.parse(ran.stdout);
    expect(counts.files).toBe(2);
    const said = ran.stderr.trim().split("\n").sort();
    expect(said).toEqual([
      expect.stringMatching(/\/closed: folder cannot be opened: permission denied \(EACCES\)$/),
      expect.stringMatching(/\/listed\/file: permission denied \(EACCES\)$/),
      expect.stringMatching(/\/secret: permission denied \(EACCES\)$/),
    ]);
    expect(warnings).toBe(3);
    chmodSync(join(fx.source, "closed"), 0o755);
    chmodSync(join(fx.source, "listed"), 0o755);
  });
});
