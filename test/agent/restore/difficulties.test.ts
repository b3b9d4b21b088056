import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { FixtureVault } from "../../fs/fixtureVault.ts";
import { directoryOf, fileOf, sparseOf } from "../../fs/treeSpec.ts";
import { checkTree } from "./checkTree.ts";
import { restoreTo, temporaryFolder } from "./restoring.ts";

const MiB = 1024 * 1024;
const root = process.getuid?.() === 0;

describe("restoring under difficulties", () => {
  test("damage costs the files it hits, and their old versions stay", async () => {
    const vault = new FixtureVault();
    const lost = randomBytes(400_000);
    const bad = randomBytes(300_000);
    const wrong = { ...fileOf("lies"), hash: randomBytes(32) };
    const row = vault.snapshot(
      directoryOf({
        lost: sparseOf([lost]),
        bad: sparseOf([bad, 5000, bad]),
        good: fileOf("good"),
        wrong,
        old: sparseOf([lost, bad]),
      }),
    );
    vault.records.delete(vault.put(1, lost).toString("hex"));
    const id = vault.put(1, bad).toString("hex");
    const flipped = Buffer.from(vault.records.get(id) as Buffer);
    flipped[2000] = (flipped[2000] as number) ^ 4;
    vault.records.set(id, flipped);
    const target = temporaryFolder();
    writeFileSync(join(target, "old"), "still good");
    const result = await restoreTo(target, vault, row);
    expect(result.errors).toBe(4);
    expect(Object.fromEntries(result.notes.map(({ path, code }) => [path, code]))).toMatchObject({
      "/lost": "chunk-missing",
      "/wrong": "id-mismatch",
      "/bad": "chunk-damaged",
      "/old": "chunk-missing",
    });
    expect(readdirSync(target).sort()).toEqual(["good", "old"]);
    expect(readFileSync(join(target, "old")).toString()).toBe("still good");
  });

  test("can be stopped and goes on where it stopped", async () => {
    const vault = new FixtureVault();
    const parts = Array.from({ length: 60 }, () => randomBytes(MiB));
    const tree = directoryOf({ a: fileOf("a"), image: sparseOf(parts), z: fileOf("z") });
    const row = vault.snapshot(tree);
    const target = temporaryFolder();
    const stop = new AbortController();
    let requests = 0;
    vault.beforeRead = () => {
      if (++requests === 10) stop.abort();
    };
    await expect(restoreTo(target, vault, row, { signal: stop.signal })).rejects.toMatchObject({
      code: "cancelled",
    });
    vault.beforeRead = () => undefined;
    const again = await restoreTo(target, vault, row);
    expect(checkTree(tree, Buffer.from(target))).toEqual([]);
    expect(again.fetchedRecords).toBeLessThan(61);
  });

  test.skipIf(!root)("a full target stops with one clear line; with room it goes on", async () => {
    const vault = new FixtureVault();
    const files = Array.from({ length: 12 }, (_, i) => [`f${i}`, fileOf(randomBytes(200_000))] as const);
    const tree = directoryOf([...files, ["image", sparseOf([randomBytes(6 * MiB)])]]);
    const row = vault.snapshot(tree);
    const target = temporaryFolder();
    execFileSync("/bin/mount", ["-t", "tmpfs", "-o", "size=4m", "none", target]);
    try {
      await expect(restoreTo(target, vault, row)).rejects.toMatchObject({ code: "disk-full" });
      execFileSync("/bin/mount", ["-o", "remount,size=40m", target]);
      await restoreTo(target, vault, row);
      expect(checkTree(tree, Buffer.from(target))).toEqual([]);
    } finally {
      execFileSync("/bin/umount", [target]);
    }
  });
});
