// A gateway, exported to a folder, restored from it with the recovery key alone. test/offsite/restoreFrom.test.ts does it with the program.

import { existsSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { Gateway } from "../../../../gateway/gateway.ts";
import { markFolder } from "../../../../gateway/replica/folder/marker.ts";
import { Backfill } from "../../../../gateway/replica/restore/backfill.ts";
import type { RestoreFromOptions, RestoreReport } from "../../../../gateway/replica/restore/restoreFrom.ts";
import { bitAt } from "../../../../ingest/wire/bitmap.ts";
import { toHex } from "../../../../vault/bytes.ts";
import { generateKeyPair } from "../../../../vault/keys/box.ts";
import { type GatewayFixture, pageRecord, snapshotOf } from "../../gatewayFixture.ts";
import { exportGateway } from "./exportReplica.ts";
import { RestoreSite, replica } from "./restoreSite.ts";

let site: RestoreSite;
let { old, device, place, store, folder, chunks, pages, snapshots } = {} as RestoreSite;
let data: string;

beforeAll(async () => {
  site = await RestoreSite.create();
  ({ old, device, place, store, folder, chunks, pages, snapshots } = site);
});
afterAll(() => site.remove());
beforeEach(async () => {
  data = await site.newData();
});
afterEach(async () => {
  await rm(join(data, ".."), { recursive: true, force: true });
});

function restore({ data: into = data, ...more }: Partial<RestoreFromOptions> = {}): Promise<RestoreReport> {
  return site.restore(into, more);
}
function withRestored(work: (restored: GatewayFixture) => Promise<void>): Promise<void> {
  return site.withRestored(data, work);
}

test("everything of the gateway is there: catalog, identity, vaults, index", async () => {
  const report = await restore();
  expect(report.vaults.map(({ snapshots: count }) => count).sort()).toEqual([0, 2]);
  expect(report.damage).toEqual([]);
  const file = (path: string): string => readFileSync(join(path, "gateway.json"), "utf8");
  expect(JSON.parse(file(data))).toEqual(JSON.parse(file(old.path)));
  expect(existsSync(join(data, "restore.json"))).toBe(false);
  await withRestored(async ({ gateway }) => {
    const before = old.gateway.catalog;
    expect(gateway.catalog.accounts.list()).toEqual(before.accounts.list());
    expect(gateway.catalog.devices.list()).toEqual(before.devices.list());
    expect(gateway.catalog.vaults.list()).toEqual(before.vaults.list());
    expect(gateway.dataDir.tls).toEqual(old.gateway.dataDir.tls);
    expect(gateway.dataDir.settings).toEqual(old.gateway.dataDir.settings);
    const [vault, theirs] = [await gateway.vault(device.vault), await old.gateway.vault(device.vault)];
    expect(vault.catalog.snapshots()).toEqual(theirs.catalog.snapshots());
    expect(vault.catalog.items()).toEqual(theirs.catalog.items());
    expect(vault.catalog.cacheToken()).not.toBe(theirs.catalog.cacheToken());
    expect(vault.catalog.changes()).toBeGreaterThan(theirs.catalog.changes());
    expect(vault.store.index.count()).toBe(chunks.length + pages.length);
    const backfill = new Backfill(vault.store.environment);
    expect(backfill.end()).toBe([...vault.store.packs.all()].length);
    for (const { id } of pages) expect(vault.store.lookup(device.group, id)).toBeDefined();
    expect(gateway.jobs.list({ kind: "restore-from", failed: false, limit: 9 })).toMatchObject([
      { subject: "disk", result: "done", figures: { vaults: report.vaults.length, damaged: 0 } },
    ]);
    const [row] = gateway.catalog.replicas.list();
    expect(row).toMatchObject({ id: replica, url: `file://${place}`, name: "disk", conditionalPuts: true });
    expect(row?.writer).not.toBe(before.replicas.get(replica)?.writer);
    expect(gateway.catalog.replicas.seen(replica, device.vault)).toMatchObject({ generation: 2 });
    // The restored gateway writes nothing there until it is told to take over.
    const fenced = exportGateway(gateway, store, replica);
    await expect(fenced).rejects.toMatchObject({ code: "replica-fenced" });
  });
});

test("the same device goes on: token, deduplication, the next snapshot, and quarantine", async () => {
  await restore();
  await withRestored(async (restored) => {
    const client = restored.client(device.token);
    const item = await client.putItem("files");
    expect(item).toMatchObject({ sequence: 2, head: snapshots[1] });
    const session = await client.startSession({ vault: device.vault, item: item.id, highestSequence: 2 });
    const ids = [...chunks, ...pages].map(({ id }) => id);
    const have = await client.have(session.session, ids);
    expect(ids.filter((_, i) => !bitAt(have, i)).map(toHex)).toEqual([toHex(site.wrong.id)]);
    const root = pageRecord(device, [pages[0]!.id, chunks[70]!.id], "third");
    await client.records(session.session, [root.record]);
    const snapshot = snapshotOf(device, item, 3, item.head, root.id);
    // The first page refers to the record that was found site.wrong.
    await expect(client.commit(session.session, snapshot.bytes)).rejects.toMatchObject({
      code: "missing-chunks",
      detail: { missing: [toHex(site.wrong.id)] },
    });
    await client.records(session.session, [site.wrong.record]);
    expect((await client.commit(session.session, snapshot.bytes)).snapshot).toBe(toHex(snapshot.id));
    expect((await client.snapshots()).map(({ sequence }) => sequence)).toEqual([3, 2, 1]);
  });
});

test("the gateway's chain grows only when something in it changed", async () => {
  expect(await exportGateway(old.gateway, store, replica)).toBe(false);
});

test("an older state of the gateway's chain can be asked for, by number and by time", async () => {
  const plan = async (wanted: RestoreFromOptions["wanted"]) => (await restore({ wanted, dryRun: true })).plan;
  const first = await plan({ generation: 1 });
  expect(first).toMatchObject({ generation: 1, newest: 2, devices: 2, accounts: 2 });
  expect((await plan({ time: first.time })).generation).toBe(1);
  expect((await plan({ time: new Date().toISOString() })).generation).toBe(2);
  await expect(plan({ generation: 3 })).rejects.toMatchObject({ code: "not-found" });
  await expect(plan({ time: "2001-01-01T00:00:00Z" })).rejects.toMatchObject({ code: "not-found" });
  expect(existsSync(data)).toBe(false);
});

test("the wrong recovery key, a replica without a gateway, a directory in use", async () => {
  await expect(restore({ recoveryKey: generateKeyPair().privateKey })).rejects.toMatchObject({
    code: "key-wrong",
  });
  const empty = join(folder, "empty");
  await markFolder(empty);
  await expect(restore({ url: `file://${empty}` })).rejects.toMatchObject({ code: "not-found" });
  await restore();
  await expect(restore()).rejects.toMatchObject({ code: "exists" });
});

test("a restore that was stopped goes on from the same roots, and only in its own directory", async () => {
  for (const stopAt of [1, 2, 4, 6]) {
    const stop = new AbortController();
    let steps = 0;
    const onProgress = (): void => {
      if (++steps >= stopAt) stop.abort();
    };
    await expect(restore({ signal: stop.signal, onProgress })).rejects.toMatchObject({ code: "cancelled" });
    expect(existsSync(join(data, "gateway.json"))).toBe(false);
    await expect(Gateway.open(data, {} as never)).rejects.toMatchObject({
      code: "data-dir-invalid",
      message: expect.stringContaining("half-done"),
    });
    await expect(restore({ url: "file:///elsewhere" })).rejects.toMatchObject({ code: "exists" });
  }
  await old.device(device.account, "later");
  expect(await exportGateway(old.gateway, store, replica)).toBe(true);
  const report = await restore();
  expect(report.plan).toMatchObject({ resumed: true, generation: 2, newest: 3 });
  expect((await restore({ dryRun: true, data: join(data, "..", "other") })).plan.generation).toBe(3);
  await withRestored(async (restored) => {
    expect(await restored.client(device.token).snapshots()).toHaveLength(2);
  });
});
