// Damage on the gateway's own disk: errors of the records that it hits, and of nothing else.

import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { closedPackPath, openPackPath } from "../../gateway/store/packPaths.ts";
import { emptyPage, openStore, type PlainRecord, plainRecord, readOne } from "./vaultStoreFixture.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "holdfast-damage-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

test("a flipped byte harms its own record alone: in an open pack, in a closed one, after a restart", async () => {
  const { store, put } = await openStore(directory);
  const records = Array.from({ length: 6 }, () => plainRecord(300));
  await put(...records);
  const page = emptyPage();
  await put(page);
  const damage = (row: number): void => {
    const location = store.lookup(1, records[row]!.id)!;
    const path = openPackPath(directory, location.pack);
    const bytes = readFileSync(path);
    bytes[location.offset + 100]! ^= 1;
    writeFileSync(path, bytes);
  };
  damage(2);
  expect(await readOne(store, records[2]!.id)).toBe("chunk-damaged");
  for (const i of [0, 1, 3, 4, 5]) expect(await readOne(store, records[i]!.id)).toEqual(records[i]!.record);
  await store.close();
  // The damaged record is known to the index; the pack is closed with what is sound and not gone on with.
  const again = await openStore(directory);
  await again.store.settled();
  expect(readdirSync(join(directory, "packs")).length).toBe(1);
  expect(await readOne(again.store, records[2]!.id)).toBe("chunk-damaged");
  for (const i of [0, 1, 3, 4, 5])
    expect(await readOne(again.store, records[i]!.id)).toEqual(records[i]!.record);
  const more = plainRecord(200);
  await again.put(more);
  expect(await readOne(again.store, more.id)).toEqual(more.record);
  await again.store.close();
});

test("missing trailer, zero length, missing file: errors of the records in that pack, and the rest goes on", async () => {
  const { store, put } = await openStore(directory, { packBytesTarget: 5000 });
  const packs: PlainRecord[][] = [];
  for (let i = 0; i < 4; i++) {
    packs.push(Array.from({ length: 5 }, () => plainRecord(1000)));
    await put(...packs[i]!);
    await store.settled();
  }
  await store.close();
  const nameOf = (again: Awaited<ReturnType<typeof openStore>>, records: PlainRecord[]): string => {
    const ordinal = again.store.lookup(1, records[0]!.id)!.pack;
    return closedPackPath(directory, again.store.packs.get(ordinal)!.name!);
  };
  const probe = await openStore(directory);
  const [cut, empty, gone] = packs.slice(0, 3).map((records) => nameOf(probe, records));
  await probe.store.close();
  truncateSync(cut!, statSync(cut!).size - 100);
  truncateSync(empty!, 0);
  rmSync(gone!);
  const again = await openStore(directory);
  // Reading by location needs no trailer.
  for (const each of packs[0]!) expect(await readOne(again.store, each.id)).toEqual(each.record);
  for (const each of packs[1]!) expect(await readOne(again.store, each.id)).toBe("chunk-damaged");
  for (const each of packs[2]!) expect(await readOne(again.store, each.id)).toBe("chunk-missing");
  for (const each of packs[3]!) expect(await readOne(again.store, each.id)).toEqual(each.record);
  const more = plainRecord(100);
  await again.put(more);
  expect(await readOne(again.store, more.id)).toEqual(more.record);
  await again.store.close();
});
