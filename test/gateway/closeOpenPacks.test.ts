// Closing open packs on demand, beside uploads and after a stop at any point.

import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { closedPackPath, openPackPath } from "../../gateway/store/packPaths.ts";
import type { VaultStore } from "../../gateway/store/vaultStore.ts";
import { emptyPage, group, openStore, type PlainRecord, plainRecord, readOne } from "./vaultStoreFixture.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "holdfast-close-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

function stateOf(store: VaultStore, { id }: PlainRecord): string | undefined {
  const row = store.lookup(group, id);
  return row === undefined ? undefined : store.packs.get(row.pack)?.state;
}

test("what was acknowledged is in closed packs, whole and under its hash; new records go on in new packs", async () => {
  const { store, put } = await openStore(directory);
  await store.closeOpenPacks();
  expect([...store.packs.all()]).toEqual([]);
  const records = [plainRecord(1000), plainRecord(2000), emptyPage()];
  await put(...records);
  expect(records.map((each) => stateOf(store, each))).toEqual(["open", "open", "open"]);
  await store.closeOpenPacks();
  expect(records.map((each) => stateOf(store, each))).toEqual(["closed", "closed", "closed"]);
  const packs = [...store.packs.all()];
  expect(packs).toHaveLength(2);
  for (const { name, bytes } of packs) {
    const file = readFileSync(closedPackPath(directory, name!));
    expect(createHash("sha256").update(file).digest().equals(name!)).toBe(true);
    expect(file.length).toBe(bytes);
  }
  await store.closeOpenPacks();
  expect([...store.packs.all()]).toHaveLength(2);
  const later = plainRecord();
  await put(later);
  expect(stateOf(store, later)).toBe("open");
  for (const each of [...records, later]) expect(await readOne(store, each.id)).toEqual(each.record);
  await store.close();
});

test("beside uploads: every record that was acknowledged before is in a closed pack, and none is lost", async () => {
  const { store, put } = await openStore(directory, { packBytesTarget: 50_000 });
  const acknowledged: PlainRecord[] = [];
  let uploading = true;
  const upload = async (): Promise<void> => {
    while (uploading) {
      const records = [plainRecord(3000), plainRecord(500), emptyPage()];
      await put(...records);
      acknowledged.push(...records);
    }
  };
  const uploads = [upload(), upload(), upload()];
  for (let round = 0; round < 20; round++) {
    while (acknowledged.length < round * 12) await new Promise((resolve) => setImmediate(resolve));
    const before = acknowledged.length;
    await store.closeOpenPacks();
    const open = acknowledged.slice(0, before).filter((each) => stateOf(store, each) !== "closed");
    expect(open).toEqual([]);
  }
  uploading = false;
  await Promise.all(uploads);
  expect(acknowledged.length).toBeGreaterThan(200);
  await store.close();
  const again = await openStore(directory);
  for (const each of acknowledged) expect(await readOne(again.store, each.id)).toEqual(each.record);
  await again.store.close();
});

test("a pack that became full in the commit that is under way is closed too", async () => {
  const { store, put } = await openStore(directory, { packBytesTarget: 50_000 });
  const before = plainRecord(1000);
  await put(before);
  const full = store.lookup(group, before.id)!.pack;
  // The first of these fills the pack, the second goes into the next one.
  const uploading = put(plainRecord(60_000), plainRecord(1000));
  const written = (): boolean => {
    const next = store.packs.openPacks().find(({ ordinal }) => ordinal !== full);
    const path = next === undefined ? "" : openPackPath(directory, next.ordinal);
    return existsSync(path) && statSync(path).size > 0;
  };
  while (!written()) await new Promise((resolve) => setImmediate(resolve));
  await store.closeOpenPacks();
  expect(stateOf(store, before)).toBe("closed");
  await uploading;
  await store.close();
});

test("a pack that is full when the store is opened is closed, though no commit writes to it", async () => {
  const small = await openStore(directory);
  const before = plainRecord(60_000);
  await small.put(before);
  await small.store.close();
  const { store, put } = await openStore(directory, { packBytesTarget: 50_000 });
  const after = plainRecord(1000);
  await put(after);
  expect(store.lookup(group, after.id)!.pack).not.toBe(store.lookup(group, before.id)!.pack);
  await store.closeOpenPacks();
  expect([stateOf(store, before), stateOf(store, after)]).toEqual(["closed", "closed"]);
  await store.close();
});

test("a failure is told, loses nothing, and the call may be repeated", async () => {
  const { store, put } = await openStore(directory);
  const record = plainRecord(1000);
  await put(record);
  // A file where the folder of closed packs should be made.
  rmSync(join(directory, "packs"), { recursive: true, force: true });
  writeFileSync(join(directory, "packs"), "");
  await expect(store.closeOpenPacks()).rejects.toMatchObject({ code: "io-error" });
  const later = plainRecord(500);
  await put(later);
  rmSync(join(directory, "packs"));
  await store.closeOpenPacks();
  expect([stateOf(store, record), stateOf(store, later)]).toEqual(["closed", "closed"]);
  for (const { name } of store.packs.all()) expect(existsSync(closedPackPath(directory, name!))).toBe(true);
  expect(await readOne(store, record.id)).toEqual(record.record);
  await store.close();
});
