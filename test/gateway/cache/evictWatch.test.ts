// Evicting by itself, by marks of the disk: what starts it, what it takes first, when it rests and when it stops.

import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bytesOver, EvictWatch } from "../../../gateway/cache/evictWatch.ts";
import type { OpenVault } from "../../../gateway/openVault.ts";
import { closedPackPath } from "../../../gateway/store/packPaths.ts";
import { beginSession, dataRecord, GatewayFixture, type TestDevice } from "../gatewayFixture.ts";
import { addReplicaFolder, copyPacks, type ReplicaFolder } from "./replicaFolder.ts";

let scratch: string;
let fixture: GatewayFixture;
let device: TestDevice;
let session: string;
let vault: OpenVault;
let replica: ReplicaFolder;

beforeEach(async () => {
  scratch = mkdtempSync(join(tmpdir(), "holdfast-watch-"));
  fixture = await GatewayFixture.create({ packBytesTarget: 300_000 });
  device = await fixture.device(await fixture.account("anna"), "laptop");
  replica = await addReplicaFolder(fixture.gateway.catalog, join(scratch, "replica"), "disk");
  vault = await fixture.gateway.vault(device.vault);
  ({ session } = await beginSession(device));
});
afterEach(async () => {
  await fixture.remove();
  rmSync(scratch, { recursive: true, force: true });
});

async function upload(records: number): Promise<void> {
  const all = Array.from({ length: records }, () => dataRecord(device, randomBytes(60_000)).record);
  await device.client.records(session, all);
}

const directory = (): string => fixture.gateway.vaultDirectory(device.vault);
const states = (): string[] =>
  [...vault.store.packs.all()].filter(({ state }) => state !== "open").map(({ state }) => state);

async function marks(above: number, to: number): Promise<void> {
  const path = join(fixture.path, "config.toml");
  const text = readFileSync(path, "utf8")
    .replace(/^log-level = .*$/m, 'log-level = "silent"')
    .replace(/^evict-above-percent = .*$/m, `evict-above-percent = ${above}`)
    .replace(/^evict-to-percent = .*$/m, `evict-to-percent = ${to}`);
  writeFileSync(path, text);
  await fixture.gateway.reload();
}

test("how much is over the marks", () => {
  const room = (used: number) => ({ freeBytes: 1000 - used, totalBytes: 1000 });
  expect(bytesOver(room(1000), 0, 0)).toBe(0);
  expect(bytesOver(room(800), 80, 70)).toBe(0);
  expect(bytesOver(room(801), 80, 70)).toBe(101);
  expect(bytesOver(room(1000), 95, 95)).toBe(50);
  // Uploads that find no room are over every mark.
  expect(bytesOver(room(800), 85, 70, 200)).toBe(0);
  expect(bytesOver(room(801), 85, 70, 200)).toBe(101);
  expect(bytesOver(room(650), 85, 70, 400)).toBe(50);
  expect(bytesOver(room(1000), 0, 0, 200)).toBe(0);
});

test("off by default; over the mark, uploads start it, and the end of replication does", async () => {
  const watch = new EvictWatch(fixture.gateway);
  await upload(20);
  await vault.store.closeOpenPacks();
  await copyPacks(vault, directory(), replica);
  await fixture.gateway.elsewhere.lookAtRoom();
  await upload(1);
  await watch.settled();
  expect(states()).not.toContain("evicted");
  await marks(0.001, 0);
  await fixture.gateway.elsewhere.lookAtRoom();
  await watch.settled();
  expect(new Set(states())).toEqual(new Set(["evicted"]));
  await watch.close();
});

test("what was used longest ago goes first, as much as is needed", async () => {
  await upload(20);
  await vault.store.closeOpenPacks();
  await copyPacks(vault, directory(), replica);
  const rows = [...vault.store.packs.all()].filter(({ kind }) => kind === "data");
  expect(rows.length).toBeGreaterThanOrEqual(4);
  for (const [i, row] of rows.entries()) {
    const ago = Date.now() / 1000 - (i === 2 ? 1000 : i === 0 ? 900 : 100 + i);
    utimesSync(closedPackPath(directory(), row.name!), ago, ago);
  }
  const watch = new EvictWatch(fixture.gateway);
  await marks(0.001, 0);
  // Of a disk on which only so much is used: one byte more than the oldest pack has.
  const over = rows[2]!.bytes + 1;
  fixture.gateway.elsewhere.tellRoom({ freeBytes: 10_000 * over, totalBytes: 10_001 * over });
  await watch.settled();
  expect(rows.map(({ ordinal }) => vault.store.packs.get(ordinal)?.state)).toEqual(
    rows.map((_, i) => (i === 2 || i === 0 ? "evicted" : "closed")),
  );
  await watch.close();
});

test("it rests after a run that could not free what it should, and goes on after that", async () => {
  let nowMs = 0;
  const watch = new EvictWatch(fixture.gateway, () => nowMs);
  await upload(20);
  await vault.store.closeOpenPacks();
  await copyPacks(vault, directory(), replica);
  await marks(0.001, 0);
  renameSync(replica.path, `${replica.path}-away`);
  await fixture.gateway.elsewhere.lookAtRoom();
  await watch.settled();
  expect(states()).not.toContain("evicted");
  renameSync(`${replica.path}-away`, replica.path);
  await fixture.gateway.elsewhere.lookAtRoom();
  await watch.settled();
  expect(states(), "it rests").not.toContain("evicted");
  nowMs += 600_001;
  const look = async (): Promise<Set<string>> => {
    nowMs += 600_001;
    await fixture.gateway.elsewhere.lookAtRoom();
    await watch.settled();
    return new Set(states());
  };
  await expect.poll(look, { interval: 500 }).toEqual(new Set(["evicted"]));
  await watch.close();
});

test("where nothing was replicated yet, it goes on as soon as something is, and rests no longer", async () => {
  const watch = new EvictWatch(fixture.gateway, () => 0);
  await upload(20);
  await vault.store.closeOpenPacks();
  await marks(0.001, 0);
  await fixture.gateway.elsewhere.lookAtRoom();
  await watch.settled();
  await copyPacks(vault, directory(), replica);
  await fixture.gateway.elsewhere.lookAtRoom();
  await watch.settled();
  expect(states(), "it rests").not.toContain("evicted");
  await fixture.gateway.elsewhere.lookAtRoom(true);
  await watch.settled();
  expect(new Set(states())).toEqual(new Set(["evicted"]));
  await watch.close();
});
