import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { FixtureVault } from "../../fs/fixtureVault.ts";
import { directoryOf, fileOf, sparseOf } from "../../fs/treeSpec.ts";
import { checkTree } from "./checkTree.ts";
import { restoreTo, temporaryFolder } from "./restoring.ts";

const MiB = 1024 * 1024;

describe("restoring over what is there", () => {
  test("what differs is fetched and put right, and nothing else", async () => {
    const vault = new FixtureVault();
    const parts = Array.from({ length: 8 }, () => randomBytes(MiB));
    const tree = directoryOf({
      good: fileOf("good"),
      changed: fileOf("before"),
      longer: fileOf("short"),
      mode: fileOf("mode", { mode: 0o600 }),
      kind: fileOf("a file"),
      large: sparseOf([Buffer.concat(parts)]),
      shared: fileOf("its own"),
      other: fileOf("its own"),
    });
    const row = vault.snapshot(tree);
    const target = temporaryFolder();
    await restoreTo(target, vault, row);
    writeFileSync(join(target, "changed"), "afterx");
    writeFileSync(join(target, "longer"), "much longer");
    chmodSync(join(target, "mode"), 0o777);
    execFileSync("rm", [join(target, "kind"), join(target, "other")]);
    symlinkSync("/nowhere", join(target, "kind"));
    linkSync(join(target, "shared"), join(target, "other"));
    const large = readFileSync(join(target, "large"));
    large.fill(7, 3 * MiB + 5, 3 * MiB + 10);
    writeFileSync(join(target, "large"), large);
    vault.reads.length = 0;
    const result = await restoreTo(target, vault, row);
    expect(checkTree(tree, Buffer.from(target))).toEqual([]);
    expect(result.errors).toBe(0);
    const data = new Set(vault.reads.filter((id) => vault.records.has(id)));
    expect(data.has(vault.put(1, parts[3] as Buffer).toString("hex"))).toBe(true);
    expect(data.has(vault.put(1, parts[2] as Buffer).toString("hex"))).toBe(false);
    expect(result.fetchedRecords).toBeLessThanOrEqual(3);
  });

  test("a large file is put right in place, and copied where its name is shared", async () => {
    const vault = new FixtureVault();
    const parts = Array.from({ length: 65 }, (_, i) => Buffer.alloc(MiB, i + 1));
    const pieces = [...parts.slice(0, 30), 2 * MiB, ...parts.slice(30)];
    const tree = directoryOf({ image: sparseOf(pieces) });
    const row = vault.snapshot(tree);
    const target = temporaryFolder();
    const image = join(target, "image");
    await restoreTo(target, vault, row);
    const spoil = () => {
      const bytes = readFileSync(image);
      bytes.fill(0xaa, 10 * MiB, 10 * MiB + 3);
      bytes.fill(0xbb, 30 * MiB + 100, 30 * MiB + 200);
      writeFileSync(image, Buffer.concat([bytes, Buffer.from("tail")]));
    };
    spoil();
    const { ino } = statSync(image);
    const patched = await restoreTo(target, vault, row);
    expect(statSync(image).ino).toBe(ino);
    expect(patched).toMatchObject({ fetchedRecords: 1, errors: 0 });
    expect(checkTree(tree, Buffer.from(target))).toEqual([]);
    spoil();
    linkSync(image, join(target, "kept by someone"));
    const copied = await restoreTo(target, vault, row);
    expect(copied).toMatchObject({ fetchedRecords: 1, errors: 0 });
    expect(readFileSync(join(target, "kept by someone")).subarray(-4).toString()).toBe("tail");
    execFileSync("rm", [join(target, "kept by someone")]);
    expect(checkTree(tree, Buffer.from(target))).toEqual([]);
  });

  test("overwrite never and newer", async () => {
    const vault = new FixtureVault();
    const row = vault.snapshot(
      directoryOf({ a: fileOf("archived"), b: fileOf("archived"), c: fileOf("archived") }),
    );
    const target = temporaryFolder();
    writeFileSync(join(target, "a"), "mine");
    writeFileSync(join(target, "b"), "mine");
    utimesSync(join(target, "b"), 1000, 1000);
    const never = await restoreTo(target, vault, row, { overwrite: "never" });
    expect(never).toMatchObject({ kept: 2, files: 1, errors: 0 });
    expect(readFileSync(join(target, "a")).toString()).toBe("mine");
    const newer = await restoreTo(target, vault, row, { overwrite: "newer" });
    expect(readFileSync(join(target, "a")).toString()).toBe("mine");
    expect(readFileSync(join(target, "b")).toString()).toBe("archived");
    expect(newer.files).toBe(1);
  });

  test("a dry run does not take a FIFO for the file that belongs there", async () => {
    const vault = new FixtureVault();
    const row = vault.snapshot(directoryOf({ f: fileOf("") }));
    const target = temporaryFolder();
    await restoreTo(target, vault, row);
    const same = await restoreTo(target, vault, row, { dryRun: true });
    expect(same).toMatchObject({ reused: 1, actions: [] });
    const { mtime } = statSync(join(target, "f"));
    rmSync(join(target, "f"));
    execFileSync("mkfifo", [join(target, "f")]);
    utimesSync(join(target, "f"), mtime, mtime);
    const dry = await restoreTo(target, vault, row, { dryRun: true });
    expect(dry).toMatchObject({ reused: 0, actions: [{ action: "replace", path: "f" }] });
  });

  test("--delete removes strangers below backed-up paths only, and never follows a link", async () => {
    const vault = new FixtureVault();
    const home = directoryOf({ keep: fileOf("k"), sub: directoryOf({ x: fileOf("x") }) });
    const row = vault.snapshot(directoryOf({ home }), { paths: ["/home"] });
    const target = temporaryFolder();
    const outside = temporaryFolder();
    writeFileSync(join(outside, "precious"), "p");
    for (const folder of ["home", "home/stranger", "home/stranger/deep", "home/sub", "other"]) {
      mkdirSync(join(target, folder));
      writeFileSync(join(target, folder, "file"), "s");
    }
    symlinkSync(outside, join(target, "home", "a link"));
    const dry = await restoreTo(target, vault, row, { delete: true, dryRun: true });
    expect(
      dry.actions
        .filter(({ action }) => action === "delete")
        .map(({ path }) => path)
        .sort(),
    ).toEqual(["home/a link", "home/file", "home/stranger", "home/sub/file"]);
    expect(existsSync(join(target, "home", "stranger", "deep", "file"))).toBe(true);
    expect(existsSync(join(target, "home", "keep"))).toBe(false);
    const unmade = await restoreTo(join(target, "not made"), vault, row, { dryRun: true });
    expect(unmade).toMatchObject({ files: 2, directories: 2, errors: 0 });
    expect(existsSync(join(target, "not made"))).toBe(false);
    await restoreTo(target, vault, row, { delete: true });
    expect(checkTree(home, Buffer.from(join(target, "home")))).toEqual([]);
    expect(existsSync(join(target, "other", "file"))).toBe(true);
    expect(readFileSync(join(outside, "precious")).toString()).toBe("p");
  });

  test("links planted at the target lead nowhere", async () => {
    const vault = new FixtureVault();
    const tree = directoryOf({
      dir: directoryOf({ file: fileOf("new") }),
      top: fileOf("new"),
      big: sparseOf([100, randomBytes(9000)]),
    });
    const row = vault.snapshot(tree);
    const target = temporaryFolder();
    const outside = temporaryFolder();
    writeFileSync(join(outside, "file"), "precious");
    symlinkSync(outside, join(target, "dir"));
    symlinkSync(join(outside, "file"), join(target, "top"));
    symlinkSync(join(outside, "file"), join(target, "big"));
    await restoreTo(target, vault, row);
    expect(checkTree(tree, Buffer.from(target))).toEqual([]);
    expect(readdirSync(outside)).toEqual(["file"]);
    expect(readFileSync(join(outside, "file")).toString()).toBe("precious");
  });
});
