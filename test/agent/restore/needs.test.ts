// The list of what a restore would fetch, against what a restore then fetches.

import { existsSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { NeedList } from "../../../agent/restore/needList.ts";
import { RecordType } from "../../../vault/magic.ts";
import { parseRecordHeader } from "../../../vault/record.ts";
import { readChunkList } from "../../../vault/seed/chunkList.ts";
import { FixtureVault } from "../../fs/fixtureVault.ts";
import { directoryOf, fileOf, sparseOf } from "../../fs/treeSpec.ts";
import { seededBytes } from "../../vault/seeded.ts";
import { checkTree } from "./checkTree.ts";
import { restoreTo, temporaryFolder } from "./restoring.ts";

const MiB = 1024 * 1024;
const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 2 ** 31));

async function listed(path: string): Promise<{ groups: number[]; prefixes: string[] }> {
  const groups = new Set<number>();
  const prefixes: string[] = [];
  for await (const { group, prefixes: run } of readChunkList([readFileSync(path)])) {
    groups.add(group);
    for (let at = 0; at < run.length; at += 8) prefixes.push(run.subarray(at, at + 8).toString("hex"));
  }
  return { groups: [...groups], prefixes };
}

/** First 8 bytes of the ids of data that the vault was asked for, sorted. */
function fetched(vault: FixtureVault): string[] {
  const data = vault.reads.filter((id) => {
    const record = vault.records.get(id);
    return record !== undefined && parseRecordHeader(record).type === RecordType.data;
  });
  return [...new Set(data.map((id) => id.slice(0, 16)))].sort();
}

describe("lists of what a restore would fetch", () => {
  test(`they name exactly what it then fetches (seed ${seed})`, async () => {
    let state = seed;
    const below = (most: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      return (state >>> 8) % most;
    };
    const vault = new FixtureVault();
    const pieces = (count: number, name: string): Buffer[] =>
      Array.from({ length: count }, (_, i) => seededBytes(`${name} ${i}`, MiB));
    const small = Object.fromEntries(
      Array.from({ length: 40 }, (_, n) => [`f${n}`, fileOf(seededBytes(`small ${n}`, 10 + n * 31))]),
    );
    const tree = directoryOf({
      small: directoryOf(small),
      empty: fileOf(""),
      large: sparseOf([...pieces(5, "large"), 3 * MiB, ...pieces(3, "tail")]),
      copied: sparseOf([Buffer.concat(pieces(4, "copied"))]),
      // Changed in place.
      image: sparseOf([...pieces(3, "image"), 62 * MiB, ...pieces(2, "end")]),
    });
    const row = vault.snapshot(tree);
    const folder = temporaryFolder();
    const target = join(folder, "target");
    const needOut = join(folder, "need");
    const check = async (): Promise<number> => {
      vault.reads.length = 0;
      const dry = await restoreTo(target, vault, row, { dryRun: true, needOut });
      expect(dry.errors).toBe(0);
      expect(fetched(vault)).toEqual([]);
      const { prefixes } = await listed(needOut);
      expect(dry.needed?.chunks).toBe(prefixes.length);
      const result = await restoreTo(target, vault, row);
      expect(result.errors).toBe(0);
      expect(checkTree(tree, Buffer.from(target))).toEqual([]);
      expect(fetched(vault)).toEqual(prefixes);
      expect([dry.files, dry.directories, dry.reused]).toEqual([
        ...[result.files, result.directories, result.reused],
      ]);
      return prefixes.length;
    };
    expect(existsSync(target)).toBe(false);
    // Nothing is there, and a dry run makes nothing.
    expect(await check()).toBeGreaterThan(15);
    expect(await check()).toBe(0);
    for (let round = 0; round < 4; round++) {
      for (const name of [
        "large",
        "copied",
        "image",
        "empty",
        `small/f${below(40)}`,
        `small/f${below(40)}`,
      ]) {
        const path = join(target, name);
        const change = below(5);
        if (change === 0) rmSync(path);
        else if (change === 1) writeFileSync(path, seededBytes(`other ${round}`, below(3 * MiB)));
        else if (change === 2) truncateSync(path, below(statSync(path).size + 1));
        else if (change === 3) {
          const bytes = readFileSync(path);
          if (bytes.length > 0) bytes[below(bytes.length)]! ^= 1;
          writeFileSync(path, bytes);
        }
      }
      if (below(3) === 0) rmSync(join(target, "small"), { recursive: true });
      if (below(3) === 0) {
        rmSync(join(target, "small"), { recursive: true, force: true });
        writeFileSync(join(target, "small"), "a file in its place");
      }
      await check();
    }
  }, 120_000);

  test("a restore that was cut short is gone on with", async () => {
    const vault = new FixtureVault();
    const parts = Array.from({ length: 20 }, (_, i) => seededBytes(`part ${i}`, MiB));
    const row = vault.snapshot(directoryOf({ large: sparseOf([Buffer.concat(parts)]) }));
    const folder = temporaryFolder();
    const target = join(folder, "target");
    const stop = new AbortController();
    let parted = 0;
    const onProgress = (): void => {
      if (++parted === 1) stop.abort();
    };
    await restoreTo(target, vault, row, { signal: stop.signal, onProgress }).catch(() => undefined);
    const needOut = join(folder, "need");
    const dry = await restoreTo(target, vault, row, { dryRun: true, needOut });
    const { prefixes } = await listed(needOut);
    expect(prefixes.length).toBeLessThan(20);
    expect(dry.needed?.chunks).toBe(prefixes.length);
    vault.reads.length = 0;
    expect((await restoreTo(target, vault, row)).errors).toBe(0);
    expect(fetched(vault)).toEqual(prefixes);
  });

  test("more than memory holds goes through a file that does not stay", async () => {
    const path = join(temporaryFolder(), "need");
    const ids = Array.from({ length: 1000 }, (_, i) => seededBytes(`id ${i}`, 32));
    const list = new NeedList(path, 9, 64);
    for (const id of [...ids, ...ids.slice(0, 400), ...ids.slice(300, 900)]) list.add(id, 1);
    expect(await list.write()).toBe(1000);
    list.close();
    const { groups, prefixes } = await listed(path);
    expect(groups).toEqual([9]);
    expect(prefixes).toEqual(ids.map((id) => Buffer.from(id).toString("hex").slice(0, 16)).sort());
    expect(existsSync(`${path}.sorting`)).toBe(false);
  });

  test("a list that cannot be written is an error, and no list", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "need", "in the way"), { recursive: true });
    const list = new NeedList(join(folder, "need"), 9);
    list.add(seededBytes("id", 32), 1);
    await expect(list.write()).rejects.toMatchObject({ code: "io-error" });
  });
});
