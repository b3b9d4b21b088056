// Restore drills: what is drawn, that a seed draws the same again, and what is found wrong.

import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { openTree, type SnapshotTree } from "../../agent/inspect/snapshotTree.ts";
import { drawFile, SeededNumbers } from "../../appliance/content/draw.ts";
import { drillSnapshots } from "../../appliance/content/drillSnapshots.ts";
import type { Drill, DrillWish } from "../../gateway/maintenance/vaultContent.ts";
import { toHex } from "../../vault/bytes.ts";
import { openSnapshot } from "../../vault/snapshot.ts";
import { FixtureVault } from "../fs/fixtureVault.ts";
import { directoryOf, fileOf, sparseOf } from "../fs/treeSpec.ts";

const MiB = 2 ** 20;
const { signal } = new AbortController();

function drill(vault: FixtureVault, ids: readonly string[], wish: Partial<DrillWish> = {}): Promise<Drill> {
  const open = async (id: string): Promise<SnapshotTree> =>
    openTree(vault, { keys: vault.keys, ...openSnapshot(vault.keys, vault.objects.get(id) as Buffer) });
  const port = { snapshots: ids, open, keys: vault.keys, onProgress: () => undefined, signal };
  return drillSnapshots(port, { files: 20, bytes: 100 * MiB, seed: "5eed", ...wish });
}

test("whole files are right; one that is too large is read in part; empty ones and folders are not drawn", async () => {
  const vault = new FixtureVault();
  const rows = {
    small: fileOf("small"),
    empty: fileOf(""),
    sparse: sparseOf([randomBytes(MiB), 3 * MiB, randomBytes(5000)]),
    folder: directoryOf({ deep: directoryOf({ inner: fileOf("inner") }) }),
    none: directoryOf({}),
  };
  const { id } = vault.snapshot(directoryOf(rows));
  const whole = await drill(vault, [id], { files: 60, bytes: 500 * MiB });
  expect(whole).toMatchObject({ right: 60, partly: 0, wrong: [] });
  const part = await drill(vault, [vault.snapshot(directoryOf({ sparse: rows.sparse })).id], { bytes: MiB });
  expect(part).toEqual({ right: 0, partly: 1, readBytes: MiB, wrong: [] });
  expect(await drill(vault, [vault.snapshot(directoryOf({ none: rows.none })).id])).toMatchObject({
    right: 0,
    wrong: [],
  });
  expect(await drill(vault, [])).toMatchObject({ right: 0, wrong: [] });
});

test("a seed draws the same again, another does not, and each file has its chance", async () => {
  const vault = new FixtureVault();
  const names = Array.from({ length: 40 }, (_, i) => `f${i}`);
  const many = Object.fromEntries(names.map((name) => [name, fileOf(name)]));
  const { id } = vault.snapshot(directoryOf({ many: directoryOf(many), one: fileOf("one") }));
  const { header, body } = openSnapshot(vault.keys, vault.objects.get(id) as Buffer);
  const tree = openTree(vault, { keys: vault.keys, header, body });
  const drawn = async (seed: string, count: number): Promise<string[]> => {
    const numbers = new SeededNumbers(seed);
    const paths: string[] = [];
    for (let i = 0; i < count; i++) paths.push(String((await drawFile(tree, numbers, signal))?.path));
    return paths;
  };
  expect(await drawn("a", 30)).toEqual(await drawn("a", 30));
  expect(await drawn("a", 30)).not.toEqual(await drawn("b", 30));
  // The lone file is one of 41: as likely as any in the folder.
  const counts = (await drawn("c", 2050)).filter((path) => path === "/one").length;
  expect(counts).toBeGreaterThan(20);
  expect(counts).toBeLessThan(100);
  expect(new Set(await drawn("d", 1000)).size).toBe(41);
});

test("a missing record, a damaged one and a hash that is another are told by name", async () => {
  const vault = new FixtureVault();
  const [lost, bad] = [randomBytes(MiB), randomBytes(MiB)];
  const other = { ...sparseOf([Buffer.from("other")]), hash: randomBytes(32) };
  const { id } = vault.snapshot(
    directoryOf({ lost: sparseOf([lost]), bad: sparseOf([bad]), other, good: fileOf("good") }),
  );
  vault.records.delete(toHex(vault.put(1, lost)));
  const badId = toHex(vault.put(1, bad));
  const flipped = Buffer.from(vault.records.get(badId) as Buffer);
  flipped[3000] = (flipped[3000] as number) ^ 1;
  vault.records.set(badId, flipped);
  vault.records.delete(toHex(vault.put(1, lost)));
  const { wrong, right } = await drill(vault, [id], { files: 60 });
  expect(new Set(wrong.map(({ path }) => path))).toEqual(new Set(["/lost", "/bad", "/other"]));
  expect(right).toBeGreaterThan(0);
  expect(wrong.every(({ snapshot }) => snapshot === id)).toBe(true);
});
