// Evicting packs and reading them from replicas, in a real gateway with replicas in folders.

import { readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readTogether } from "../../../fs/view/readTogether.ts";
import { createCaches, RecordOpener } from "../../../fs/view/recordOpener.ts";
import type { PackRow } from "../../../gateway/index/packTable.ts";
import { closedPackPath } from "../../../gateway/store/packPaths.ts";
import { LocalRecordSource } from "../../../gateway/viewSource.ts";
import { RecordType } from "../../../vault/magic.ts";
import { openRecord } from "../../../vault/record.ts";
import { EvictFixture } from "./evictFixture.ts";
import { copyPacks, type ReplicaFolder, replicaPack } from "./replicaFolder.ts";

let here: EvictFixture;
beforeEach(async () => {
  here = await EvictFixture.create();
});
afterEach(() => here.remove());

test("what is evicted reads the same, from the cache too, and after a restart; uploads still find it", async () => {
  await here.replicate(here.first);
  expect(here.packs().length).toBeGreaterThan(3);
  await here.evictAll();
  expect(await here.readAll()).toEqual(here.allSame());
  await here.reopen();
  expect(await here.readAll()).toEqual(here.allSame());
  renameSync(here.first.path, `${here.first.path}-away`);
  expect(await here.readAll(), "all of it is cached").toEqual(here.allSame());
  const ids = Buffer.concat(here.records.map(({ id }) => id));
  expect(here.vault.store.findLive(here.device.group, ids).every((ordinal) => ordinal !== undefined)).toBe(
    true,
  );
});

test("nothing goes that no replica lists, or whose copy is wrong, short, gone or cannot be asked", async () => {
  const evict = (row: PackRow) => here.elsewhere.moves.evict(row.ordinal);
  const [a, b, c, d, e] = here.packs();
  expect(await evict(a!)).toEqual({ evicted: false, why: "not-replicated" });
  await copyPacks(here.vault, here.directory, here.first, { listed: false, proof: "checksum" });
  expect(await evict(a!), "acknowledged, and listed by no root").toEqual({
    evicted: false,
    why: "not-replicated",
  });
  await here.replicate(here.first);
  const file = (row: PackRow) => replicaPack(here.first, here.vault.id, row.name!);
  const bytes = readFileSync(file(a!));
  bytes[bytes.length >>> 1]! ^= 1;
  writeFileSync(file(a!), bytes);
  truncateSync(file(b!), 100);
  rmSync(file(c!));
  for (const row of [a!, b!, c!]) {
    expect(await evict(row)).toEqual({ evicted: false, why: "copy-wrong" });
    expect(here.elsewhere.places.of(row.ordinal), "no longer counted").toEqual([]);
    expect(await evict(row)).toEqual({ evicted: false, why: "not-replicated" });
  }
  renameSync(here.first.path, `${here.first.path}-away`);
  expect(await evict(d!)).toEqual({ evicted: false, why: "unreachable" });
  renameSync(`${here.first.path}-away`, here.first.path);
  const local = closedPackPath(here.directory, e!.name!);
  truncateSync(local, e!.bytes - 10);
  await expect.poll(() => evict(e!)).toEqual({ evicted: false, why: "local-damaged" });
  const meta = [...here.vault.store.packs.all()].find((row) => row.kind === "meta");
  if (meta !== undefined) expect(await evict(meta)).toEqual({ evicted: false, why: "busy" });
  for (const row of here.packs()) expect(row.state).toBe("closed");
});

test("a replica that proved everything yesterday and is away today is not relied on", async () => {
  await here.replicate(here.first, "hashed");
  const [one, two] = here.packs();
  renameSync(here.first.path, `${here.first.path}-away`);
  const evict = (row: PackRow) => here.elsewhere.moves.evict(row.ordinal);
  expect(await evict(one!)).toEqual({ evicted: false, why: "unreachable" });
  await here.replicate(here.second, "hashed");
  expect(await evict(one!), "another one answers").toEqual({ evicted: true });
  rmSync(replicaPack(here.second, here.vault.id, two!.name!));
  renameSync(`${here.first.path}-away`, here.first.path);
  await expect.poll(() => evict(two!)).toEqual({ evicted: true });
});

test("a replica that is away fails what is not cached and nothing else, and reads again when it is back", async () => {
  await here.replicate(here.first);
  await here.evictAll();
  const [one] = here.packs();
  const inOne = (i: number) =>
    here.vault.store.lookup(here.device.group, here.records[i]!.id)!.pack === one!.ordinal;
  const mine = here.records.findIndex((_, i) => inOne(i));
  for await (const outcome of here.vault.read(here.device.group, here.records[mine]!.id))
    expect(Buffer.isBuffer(outcome)).toBe(true);
  renameSync(here.first.path, `${here.first.path}-away`);
  const seen = await here.readAll();
  expect(seen[mine]).toBe("same");
  expect(new Set(seen)).toEqual(new Set(["same", "replica-unreachable"]));
  for (const [i, word] of seen.entries()) if (word === "same") expect(inOne(i)).toBe(true);
  const local = new LocalRecordSource(here.gateway.gateway);
  const states = await readTogether(
    local,
    here.device.vault,
    here.device.group,
    here.records.map(({ id }) => id),
  );
  expect(new Set(states.map(({ state }) => state))).toEqual(new Set(["record", "unavailable"]));
  const overHttp = await here.device.client.readAll(
    here.device.vault,
    here.device.group,
    here.records.map(({ id }) => id),
  );
  expect(overHttp.map(({ state }) => state)).toEqual(states.map(({ state }) => state));
  renameSync(`${here.first.path}-away`, here.first.path);
  await expect.poll(() => here.readAll(), { interval: 200 }).toEqual(here.allSame());
});

test("what does not open is asked for once more with its hash: a drive shows what the other replica has, or an error", async () => {
  await here.replicate(here.first, "hashed");
  await here.replicate(here.second);
  await here.evictAll();
  const [row] = here.packs();
  const spoil = (replica: ReplicaFolder): void => {
    const path = replicaPack(replica, here.vault.id, row!.name!);
    const bytes = readFileSync(path);
    // In the middle of the first record's content, far behind its frame and header.
    bytes[50_000]! ^= 0x10;
    writeFileSync(path, bytes);
  };
  const mine = here.records.find(({ id }) => {
    const place = here.vault.store.lookup(here.device.group, id)!;
    return place.pack === row!.ordinal && place.offset < 50_000;
  })!;
  const content = openRecord({
    record: mine.record,
    keys: here.device.account.keys,
    group: here.device.group,
    expectedId: mine.id,
    expectedType: RecordType.data,
  }).plaintext;
  const drive = (): RecordOpener =>
    new RecordOpener({
      source: new LocalRecordSource(here.gateway.gateway),
      keys: here.device.account.keys,
      group: here.device.group,
      caches: createCaches(),
    });
  spoil(here.first);
  const opened = await drive().open(mine.id, RecordType.data);
  expect(opened.plaintext.equals(content)).toBe(true);
  const left = here.elsewhere.places.of(row!.ordinal).map(({ replica }) => replica);
  expect(left, "the bad copy no longer counts").toEqual([here.second.id]);
  rmSync(join(here.gateway.path, "cache"), { recursive: true, force: true });
  await here.reopen();
  spoil(here.second);
  await expect(drive().open(mine.id, RecordType.data)).rejects.toMatchObject({ code: "chunk-damaged" });
});

test("altered, short, empty, deleted and swapped objects are never served: the other replica's are, else replica-damaged", async () => {
  // The first is asked first: it alone is proven.
  await here.replicate(here.first, "hashed");
  await here.replicate(here.second);
  await here.evictAll();
  const rows = here.packs();
  const file = (replica: ReplicaFolder, row: PackRow) => replicaPack(replica, here.vault.id, row.name!);
  function spoil(replica: ReplicaFolder): void {
    const [a, b, c, d, e, f] = rows.map((row) => file(replica, row));
    const bytes = readFileSync(a!);
    for (let at = 5000; at < bytes.length; at += 50_000) bytes[at]! ^= 0x10;
    writeFileSync(a!, bytes);
    truncateSync(b!, 200_000);
    truncateSync(c!, 0);
    rmSync(d!);
    renameSync(e!, `${e!}-x`);
    renameSync(f!, e!);
    renameSync(`${e!}-x`, f!);
  }
  expect(rows.length).toBeGreaterThanOrEqual(6);
  spoil(here.first);
  expect(await here.readAll()).toEqual(here.allSame());
  for (const row of rows.slice(0, 6)) {
    expect(
      here.elsewhere.places.of(row.ordinal).map(({ replica }) => replica),
      "the bad copy no longer counts",
    ).toEqual([here.second.id]);
  }
  rmSync(join(here.gateway.path, "cache"), { recursive: true, force: true });
  await here.reopen();
  spoil(here.second);
  const seen = await here.readAll();
  const spoilt = new Set(rows.slice(0, 6).map((row) => row.ordinal));
  for (const [i, { id }] of here.records.entries()) {
    const { pack } = here.vault.store.lookup(here.device.group, id)!;
    if (!spoilt.has(pack)) expect(seen[i]).toBe("same");
  }
  const words = (row: PackRow) =>
    new Set(
      seen.filter(
        (_, i) => here.vault.store.lookup(here.device.group, here.records[i]!.id)!.pack === row.ordinal,
      ),
    );
  expect(words(rows[0]!)).toEqual(new Set(["replica-damaged"]));
  expect(words(rows[1]!), "what is before the cut can be read").toEqual(new Set(["same", "replica-damaged"]));
  for (const row of rows.slice(2, 6)) expect(words(row)).toEqual(new Set(["replica-damaged"]));
  for (const row of rows.slice(0, 6)) {
    const [place] = here.elsewhere.places.of(row.ordinal);
    expect(place?.place.proof, "the last copy stays, unproven").toBe("none");
  }
});
