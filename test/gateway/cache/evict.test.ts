// Evicting packs, reading them from replicas, and fetching them back, in a real gateway with replicas in folders.

import { randomBytes } from "node:crypto";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { PackRow } from "../../../gateway/index/packTable.ts";
import type { OpenVault } from "../../../gateway/openVault.ts";
import { closedPackPath } from "../../../gateway/store/packPaths.ts";
import { tailPath } from "../../../gateway/store/packTails.ts";
import { LocalRecordSource } from "../../../gateway/viewSource.ts";
import { dataRecord, GatewayFixture, type TestDevice, type TestRecord } from "../gatewayFixture.ts";
import { addReplicaFolder, copyPacks, type ReplicaFolder, replicaPack } from "./replicaFolder.ts";

let scratch: string;
let fixture: GatewayFixture;
let device: TestDevice;
let vault: OpenVault;
let directory: string;
let first: ReplicaFolder;
let second: ReplicaFolder;
let records: TestRecord[];

beforeEach(async () => {
  scratch = mkdtempSync(join(tmpdir(), "holdfast-evict-"));
  fixture = await GatewayFixture.create({ packBytesTarget: 2 ** 20 });
  device = await fixture.device(await fixture.account("anna"), "laptop");
  first = await addReplicaFolder(fixture.gateway.catalog, join(scratch, "first"), "first");
  second = await addReplicaFolder(fixture.gateway.catalog, join(scratch, "second"), "second");
  await open();
  const item = await device.client.putItem("files");
  const { session } = await device.client.startSession({
    vault: device.vault,
    item: item.id,
    highestSequence: 0,
  });
  records = Array.from({ length: 60 }, () => dataRecord(device, randomBytes(100_000)));
  await device.client.records(
    session,
    records.map(({ record }) => record),
  );
  await vault.store.closeOpenPacks();
});
afterEach(async () => {
  await fixture.remove();
  rmSync(scratch, { recursive: true, force: true });
});

async function open(): Promise<void> {
  vault = await fixture.gateway.vault(device.vault);
  directory = fixture.gateway.vaultDirectory(device.vault);
}

async function reopen(): Promise<void> {
  await fixture.stop();
  await fixture.start();
  await open();
}

function packs(): PackRow[] {
  return [...vault.store.packs.all()].filter((row) => row.state !== "open" && row.kind === "data");
}

async function evictAll(): Promise<void> {
  for (const row of packs()) {
    expect(await vault.store.elsewhere!.moves.evict(row.ordinal)).toEqual({ evicted: true });
    expect(existsSync(closedPackPath(directory, row.name!))).toBe(false);
  }
}

/** What reading brings for each record: "same", or the state or code of what it is instead. Never other bytes. */
async function readAll(): Promise<string[]> {
  const ids = Buffer.concat(records.map(({ id }) => id));
  const seen: string[] = [];
  for (const unhashed of [false, true]) {
    let i = 0;
    for await (const outcome of vault.read(device.group, ids, { unhashed })) {
      const { record } = records[i]!;
      if (Buffer.isBuffer(outcome)) expect(outcome.equals(record)).toBe(true);
      const word = Buffer.isBuffer(outcome) ? "same" : (outcome?.code ?? "missing");
      if (unhashed) expect(word).toBe(seen[i]);
      else seen.push(word);
      i++;
    }
    expect(i).toBe(records.length);
  }
  return seen;
}

const same = (): string[] => records.map(() => "same");

function dropCache(): void {
  rmSync(join(fixture.path, "cache"), { recursive: true, force: true });
}

test("what is evicted reads the same, from the cache too, and after a restart; uploads still find it", async () => {
  await copyPacks(vault, directory, first);
  expect(packs().length).toBeGreaterThan(3);
  await evictAll();
  expect(await readAll()).toEqual(same());
  await reopen();
  expect(await readAll()).toEqual(same());
  renameSync(first.path, `${first.path}-away`);
  expect(await readAll(), "all of it is cached").toEqual(same());
  const ids = Buffer.concat(records.map(({ id }) => id));
  expect(vault.store.findLive(device.group, ids).every((ordinal) => ordinal !== undefined)).toBe(true);
});

test("nothing goes that no replica lists, or whose copy is wrong, short, gone or cannot be asked", async () => {
  const evict = (row: PackRow) => vault.store.elsewhere!.moves.evict(row.ordinal);
  const [a, b, c, d, e] = packs();
  expect(await evict(a!)).toEqual({ evicted: false, why: "not-replicated" });
  await copyPacks(vault, directory, first, { listed: false, proof: "checksum" });
  expect(await evict(a!), "acknowledged, and listed by no root").toEqual({
    evicted: false,
    why: "not-replicated",
  });
  await copyPacks(vault, directory, first);
  const file = (row: PackRow) => replicaPack(first, vault.id, row.name!);
  const bytes = readFileSync(file(a!));
  bytes[bytes.length >>> 1]! ^= 1;
  writeFileSync(file(a!), bytes);
  truncateSync(file(b!), 100);
  rmSync(file(c!));
  for (const row of [a!, b!, c!]) {
    expect(await evict(row)).toEqual({ evicted: false, why: "copy-wrong" });
    expect(vault.store.elsewhere!.places.of(row.ordinal), "no longer counted").toEqual([]);
    expect(await evict(row)).toEqual({ evicted: false, why: "not-replicated" });
  }
  renameSync(first.path, `${first.path}-away`);
  expect(await evict(d!)).toEqual({ evicted: false, why: "unreachable" });
  renameSync(`${first.path}-away`, first.path);
  const local = closedPackPath(directory, e!.name!);
  truncateSync(local, e!.bytes - 10);
  await expect.poll(() => evict(e!), { timeout: 10_000 }).toEqual({ evicted: false, why: "local-damaged" });
  const meta = [...vault.store.packs.all()].find((row) => row.kind === "meta");
  if (meta !== undefined) expect(await evict(meta)).toEqual({ evicted: false, why: "busy" });
  for (const row of packs()) expect(row.state).toBe("closed");
});

test("a replica that is away fails what is not cached and nothing else, and reads again when it is back", async () => {
  await copyPacks(vault, directory, first);
  await evictAll();
  const [one] = packs();
  const inOne = (i: number) => vault.store.lookup(device.group, records[i]!.id)!.pack === one!.ordinal;
  const mine = records.findIndex((_, i) => inOne(i));
  for await (const outcome of vault.read(device.group, records[mine]!.id))
    expect(Buffer.isBuffer(outcome)).toBe(true);
  renameSync(first.path, `${first.path}-away`);
  const seen = await readAll();
  expect(seen[mine]).toBe("same");
  expect(new Set(seen)).toEqual(new Set(["same", "replica-unreachable"]));
  for (const [i, word] of seen.entries()) if (word === "same") expect(inOne(i)).toBe(true);
  const local = new LocalRecordSource(fixture.gateway);
  const states = await local.read(
    device.vault,
    device.group,
    records.map(({ id }) => id),
  );
  expect(new Set(states.map(({ state }) => state))).toEqual(new Set(["record", "unavailable"]));
  const overHttp = await device.client.readAll(
    device.vault,
    device.group,
    records.map(({ id }) => id),
  );
  expect(overHttp.map(({ state }) => state)).toEqual(states.map(({ state }) => state));
  renameSync(`${first.path}-away`, first.path);
  await expect.poll(readAll, { timeout: 10_000, interval: 200 }).toEqual(same());
});

test("altered, short, empty, deleted and swapped objects are never served: the other replica's are, else replica-damaged", async () => {
  // The first is asked first: it alone is proven.
  await copyPacks(vault, directory, first, { listed: true, proof: "hashed" });
  await copyPacks(vault, directory, second);
  await evictAll();
  const rows = packs();
  const file = (replica: ReplicaFolder, row: PackRow) => replicaPack(replica, vault.id, row.name!);
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
  spoil(first);
  expect(await readAll()).toEqual(same());
  for (const row of rows.slice(0, 6)) {
    expect(
      vault.store.elsewhere!.places.of(row.ordinal).map(({ replica }) => replica),
      "the bad copy no longer counts",
    ).toEqual([second.id]);
  }
  dropCache();
  await reopen();
  spoil(second);
  const seen = await readAll();
  const spoilt = new Set(rows.slice(0, 6).map((row) => row.ordinal));
  for (const [i, { id }] of records.entries()) {
    const { pack } = vault.store.lookup(device.group, id)!;
    if (!spoilt.has(pack)) expect(seen[i]).toBe("same");
  }
  const words = (row: PackRow) =>
    new Set(seen.filter((_, i) => vault.store.lookup(device.group, records[i]!.id)!.pack === row.ordinal));
  expect(words(rows[0]!)).toEqual(new Set(["replica-damaged"]));
  expect(words(rows[1]!), "what is before the cut can be read").toEqual(new Set(["same", "replica-damaged"]));
  for (const row of rows.slice(2, 6)) expect(words(row)).toEqual(new Set(["replica-damaged"]));
  for (const row of rows.slice(0, 6)) {
    const [place] = vault.store.elsewhere!.places.of(row.ordinal);
    expect(place?.place.proof, "the last copy stays, unproven").toBe("none");
  }
});

test("a tail that is lost or damaged is taken from a whole copy", async () => {
  await copyPacks(vault, directory, first);
  await evictAll();
  await reopen();
  const [a, b] = packs();
  rmSync(tailPath(directory, a!.name!));
  const tail = readFileSync(tailPath(directory, b!.name!));
  tail[40]! ^= 1;
  writeFileSync(tailPath(directory, b!.name!), tail);
  expect(await readAll()).toEqual(same());
  tail[40]! ^= 1;
  expect(readFileSync(tailPath(directory, b!.name!)).equals(tail)).toBe(true);
});

test("fetching back: whole, from the next replica when the first is wrong, and only what has the right hash", async () => {
  await copyPacks(vault, directory, first);
  await copyPacks(vault, directory, second, { listed: true, proof: "hashed" });
  await evictAll();
  const { moves } = vault.store.elsewhere!;
  const [a, b, c] = packs();
  for (const replica of [first, second]) truncateSync(replicaPack(replica, vault.id, b!.name!), 10);
  writeFileSync(replicaPack(first, vault.id, c!.name!), Buffer.alloc(c!.bytes, 1));
  await moves.fetchBack(a!.ordinal);
  await moves.fetchBack(c!.ordinal);
  await expect(moves.fetchBack(b!.ordinal)).rejects.toMatchObject({ code: "replica-damaged" });
  const states = packs().map(({ state }) => state);
  expect(states.slice(0, 4)).toEqual(["closed", "evicted", "closed", "evicted"]);
  for (const row of [a!, c!]) expect(existsSync(closedPackPath(directory, row.name!))).toBe(true);
  const left = readdirSync(join(directory, "packs"), { recursive: true, encoding: "utf8" });
  expect(left.filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test("leaving a replica brings back what is proven nowhere else, and leaves the rest evicted", async () => {
  await copyPacks(vault, directory, first);
  await evictAll();
  const rows = packs();
  const { moves, places } = vault.store.elsewhere!;
  // Proven in the second: two of them; one more is known there, unproven.
  for (const [i, row] of rows.slice(0, 3).entries()) {
    places.put(row.ordinal, second.id, { listed: true, proof: i < 2 ? "hashed" : "none", provenMs: 1 });
  }
  const counts: number[] = [];
  renameSync(first.path, `${first.path}-away`);
  const leave = () => moves.leave(first.id, (count) => void counts.push(count));
  await expect(leave()).rejects.toMatchObject({ code: "replica-unreachable" });
  expect(
    rows.map((row) => places.get(row.ordinal, first.id)?.proof),
    "nothing was taken out",
  ).toEqual(rows.map(() => "hashed"));
  renameSync(`${first.path}-away`, first.path);
  await expect.poll(() => leave().then(() => "left", String), { timeout: 10_000 }).toBe("left");
  expect(counts.at(-1)).toBe(rows.length - 2);
  expect(packs().map(({ state }) => state)).toEqual(rows.map((_, i) => (i < 2 ? "evicted" : "closed")));
  expect(rows.map((row) => places.get(row.ordinal, first.id))).toEqual(rows.map(() => undefined));
});

test("evictions that stopped half way are finished when the vault is opened, and half-fetched files go", async () => {
  await copyPacks(vault, directory, first, { listed: true, proof: "hashed" });
  const [a, b, c] = packs();
  const bytes = readFileSync(closedPackPath(directory, a!.name!));
  await evictAll();
  // After the transaction, before the file was gone; with and without its tail.
  for (const row of [a!, b!]) {
    const copy = readFileSync(replicaPack(first, vault.id, row.name!));
    writeFileSync(closedPackPath(directory, row.name!), copy);
  }
  rmSync(tailPath(directory, a!.name!));
  writeFileSync(`${closedPackPath(directory, c!.name!)}.tmp`, bytes.subarray(0, 1000));
  await reopen();
  const left = readdirSync(join(directory, "packs"), { recursive: true, encoding: "utf8" });
  expect(left.filter((name) => name.includes("/"))).toEqual([]);
  expect(existsSync(tailPath(directory, a!.name!))).toBe(true);
  expect(await readAll()).toEqual(same());
});
