// A gateway, exported to a folder, restored from it with the recovery key alone: in one process, so that every kind of damage can be
// tried quickly. test/faults/restoreFrom.test.ts does it with the program.

import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Replica } from "../../../../gateway/catalog/replicas.ts";
import { Gateway } from "../../../../gateway/gateway.ts";
import { markFolder } from "../../../../gateway/replica/folder/marker.ts";
import { gatewayFolder, rootKey, vaultFolder } from "../../../../gateway/replica/keys.ts";
import { openReplicaStore } from "../../../../gateway/replica/openStore.ts";
import type { ReplicaStore } from "../../../../gateway/replica/replicaStore.ts";
import { Backfill } from "../../../../gateway/replica/restore/backfill.ts";
import { type RestoreFromOptions, restoreFrom } from "../../../../gateway/replica/restore/restoreFrom.ts";
import { bitAt } from "../../../../ingest/wire/bitmap.ts";
import { toHex } from "../../../../vault/bytes.ts";
import { generateKeyPair } from "../../../../vault/keys/box.ts";
import { parseRecoveryKey } from "../../../../vault/keys/recoveryKey.ts";
import {
  dataRecord,
  GatewayFixture,
  pageRecord,
  snapshotOf,
  type TestDevice,
  type TestRecord,
} from "../../gatewayFixture.ts";
import { ExportMemory, exportGateway, exportReplica } from "./exportReplica.ts";

const replica = "cd".repeat(16);

/** Closed packs are small here, so that there are several of each kind. */
const packBytesTarget = 60_000;

let folder: string;
let old: GatewayFixture;
let device: TestDevice;
let place: string;
let store: ReplicaStore;
const memory = new ExportMemory();
const chunks: TestRecord[] = [];
const pages: TestRecord[] = [];
const snapshots: string[] = [];
let wrong: TestRecord;

/** A snapshot of new and old chunks below two levels of pages. */
async function backup(sequence: number): Promise<void> {
  const { client, vault } = device;
  const item = await client.putItem("files");
  const session = await client.startSession({ vault, item: item.id, highestSequence: sequence - 1 });
  const fresh = Array.from({ length: 60 }, () => dataRecord(device, randomBytes(4000)));
  const leaves = [0, 20, 40].map((from) =>
    pageRecord(
      device,
      fresh.slice(from, from + 20).map(({ id }) => id),
      `leaf ${sequence} ${from}`,
    ),
  );
  const old = pages.slice(0, 1).map(({ id }) => id);
  const root = pageRecord(device, [...leaves.map(({ id }) => id), ...old], `root ${sequence}`);
  await client.records(
    session.session,
    [...fresh, ...leaves, root].map(({ record }) => record),
  );
  const snapshot = snapshotOf(device, item, sequence, snapshots.at(-1) ?? null, root.id);
  const { snapshot: id } = await client.commit(session.session, snapshot.bytes);
  chunks.push(...fresh);
  pages.push(...leaves, root);
  snapshots.push(id);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-restore-"));
  place = join(folder, "replica");
  await markFolder(place);
  store = await openStore(place);
  old = await GatewayFixture.create({ packBytesTarget }, join(folder, "old"));
  old.gateway.catalog.replicas.add(replicaRow(replica, `file://${place}`));
  device = await old.device(await old.account("anna"), "laptop");
  await old.device(device.account, "alone", true);
  await old.account("bert");
  await backup(1);
  await exportReplica(old.gateway, store, replica, memory);
  await old.device(device.account, "server");
  await backup(2);
  // A record that a reader found wrong and that nobody sent again.
  wrong = chunks[0]!;
  await device.client.suspect(device.vault, { group: device.group, ids: [toHex(wrong.id)] });
  await exportReplica(old.gateway, store, replica, memory);
});

afterAll(async () => {
  await store.close();
  await old.remove();
  await rm(folder, { recursive: true, force: true });
});

function replicaRow(id: string, url: string): Replica {
  return {
    ...{ id, url, name: "disk", options: {}, conditionalPuts: true, notes: [], writer: "12".repeat(16) },
    ...{ bandwidth: "", schedule: "", parallel: 2, created: new Date().toISOString() },
  };
}

function openStore(path: string): Promise<ReplicaStore> {
  return openReplicaStore(
    { url: `file://${path}`, options: {}, conditionalPuts: true },
    { now: () => new Date() },
  );
}

let data: string;
beforeEach(async () => {
  data = join(await mkdtemp(join(folder, "new-")), "data");
});
afterEach(async () => {
  await rm(join(data, ".."), { recursive: true, force: true });
});

function restore(more: Partial<RestoreFromOptions> = {}): ReturnType<typeof restoreFrom> {
  return restoreFrom({
    url: `file://${place}`,
    options: {},
    recoveryKey: parseRecoveryKey("gateway", old.recoveryKey),
    data,
    listen: undefined,
    wanted: "newest",
    keepRemote: false,
    allowDamaged: false,
    dryRun: false,
    now: () => new Date(),
    signal: new AbortController().signal,
    onPlan: () => undefined,
    onProgress: () => undefined,
    ...more,
  });
}

/** Runs `work` with the restored gateway. */
async function withRestored(work: (restored: GatewayFixture) => Promise<void>): Promise<void> {
  const restored = new GatewayFixture(data, { packBytesTarget });
  restored.fingerprint = old.fingerprint;
  await restored.start();
  try {
    await work(restored);
  } finally {
    await restored.stop();
  }
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
    expect(ids.filter((_, i) => !bitAt(have, i)).map(toHex)).toEqual([toHex(wrong.id)]);
    const root = pageRecord(device, [pages[0]!.id, chunks[70]!.id], "third");
    await client.records(session.session, [root.record]);
    const snapshot = snapshotOf(device, item, 3, item.head, root.id);
    // The first page refers to the record that was found wrong.
    await expect(client.commit(session.session, snapshot.bytes)).rejects.toMatchObject({
      code: "missing-chunks",
      detail: { missing: [toHex(wrong.id)] },
    });
    await client.records(session.session, [wrong.record]);
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

describe("damage", () => {
  let copy: string;
  beforeEach(async () => {
    copy = join(data, "..", "replica");
    await cp(place, copy, { recursive: true });
  });

  const objects = (kind: string): string[] => {
    const below = join(vaultFolder(device.vault), kind);
    return readdirSync(join(copy, below), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(copy.length + 1));
  };
  const flip = (key: string): void => {
    const bytes = readFileSync(join(copy, key));
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(join(copy, key), bytes);
  };
  const cut = (key: string): void => {
    const bytes = readFileSync(join(copy, key));
    writeFileSync(join(copy, key), bytes.subarray(0, bytes.length - 1));
  };
  const from = (more: Partial<RestoreFromOptions> = {}) => restore({ url: `file://${copy}`, ...more });
  /** Keys of the newest root's objects that restoring must read. */
  const needed = async (kind: "index" | "snapshots" | "catalog" | "manifest" | "keys"): Promise<string[]> => {
    const all = objects(kind);
    if (kind === "snapshots") return all;
    // Older generations have objects of their own, which nobody reads.
    const read: string[] = [];
    for (const key of all) {
      const bytes = readFileSync(join(copy, key));
      await rm(join(copy, key));
      const failed = await from({ dryRun: false }).then(
        () => false,
        () => true,
      );
      if (failed) read.push(key);
      writeFileSync(join(copy, key), bytes);
      await rm(data, { recursive: true, force: true });
    }
    return read;
  };

  test.each(["index", "snapshots", "catalog", "manifest", "keys"] as const)(
    "an object of %s that is missing, cut or changed is named, and nothing opens as a gateway",
    async (kind) => {
      const [key] = await needed(kind);
      for (const spoil of [
        flip,
        cut,
        (at: string) => rm(join(copy, at)),
        (at: string) => writeFileSync(join(copy, at), ""),
      ]) {
        const bytes = readFileSync(join(copy, key!));
        await spoil(key!);
        await expect(from()).rejects.toMatchObject({ code: "replica-damaged", detail: { object: key } });
        expect(existsSync(join(data, "gateway.json"))).toBe(false);
        writeFileSync(join(copy, key!), bytes);
      }
      // What is mended goes on.
      expect((await from()).damage).toEqual([]);
    },
  );

  test("a root that was changed, or another vault's, proves nothing", async () => {
    const key = rootKey(vaultFolder(device.vault), 2);
    const bytes = readFileSync(join(copy, key));
    flip(key);
    await expect(from()).rejects.toMatchObject({ code: "replica-damaged", detail: { object: key } });
    writeFileSync(join(copy, key), bytes);
    const other = old.gateway.catalog.vaults.list().find(({ id }) => id !== device.vault)!;
    writeFileSync(join(copy, key), readFileSync(join(copy, rootKey(vaultFolder(other.id), 2))));
    await expect(from()).rejects.toMatchObject({ code: "replica-damaged", detail: { object: key } });
  });

  test("an old state that was put back is told: of a vault, and of the gateway's own chain when a restore goes on", async () => {
    await rm(join(copy, rootKey(vaultFolder(device.vault), 2)));
    await expect(from()).rejects.toMatchObject({ code: "rollback-detected" });
    const report = await from({ allowDamaged: true });
    expect(report.damage).toHaveLength(1);
    expect(report.vaults.find(({ vault }) => vault === device.vault)).toMatchObject({ snapshots: 1 });
  });

  test("the gateway's catalog and sealed.json, changed or of another", async () => {
    for (const kind of ["catalog", "sealed"]) {
      for (const name of readdirSync(join(copy, gatewayFolder, kind))) {
        const key = `${gatewayFolder}${kind}/${name}`;
        const bytes = readFileSync(join(copy, key));
        flip(key);
        const outcome = await from({ dryRun: true }).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (outcome !== undefined)
          expect(outcome).toMatchObject({ code: "replica-damaged", detail: { object: key } });
        writeFileSync(join(copy, key), bytes);
      }
    }
    for (const name of readdirSync(join(copy, gatewayFolder, "catalog")))
      await rm(join(copy, gatewayFolder, "catalog", name));
    await expect(from()).rejects.toMatchObject({ code: "replica-damaged" });
  });

  test("--allow-damaged: a lost metadata pack hurts the snapshots that need it, and the next backup mends them", async () => {
    const metadata = [...(await old.gateway.vault(device.vault)).store.packs.all()].filter(
      ({ kind, name }) => kind === "meta" && name !== undefined,
    );
    const lost = toHex(metadata.at(-1)!.name!);
    const key = `${vaultFolder(device.vault)}packs/${lost.slice(0, 2)}/${lost}`;
    await rm(join(copy, key));
    await expect(from()).rejects.toMatchObject({ code: "replica-damaged", detail: { object: key } });
    const report = await from({ allowDamaged: true });
    expect(report.damage.map(({ object }) => object)).toContain(key);
    expect(report.vaults.find(({ vault }) => vault === device.vault)?.hurt).toContain(snapshots[1]);
    await withRestored(async (restored) => {
      const client = restored.client(device.token);
      const item = await client.putItem("files");
      const session = await client.startSession({ vault: device.vault, item: item.id, highestSequence: 2 });
      const all = [...chunks, ...pages];
      const have = await client.have(
        session.session,
        all.map(({ id }) => id),
      );
      const missing = all.filter((_, i) => !bitAt(have, i));
      expect(missing.length).toBeGreaterThan(1);
      await client.records(
        session.session,
        missing.map(({ record }) => record),
      );
      const root = pageRecord(device, [pages.at(-1)!.id], "after");
      await client.records(session.session, [root.record]);
      await client.commit(session.session, snapshotOf(device, item, 3, item.head, root.id).bytes);
    });
  });

  test("--allow-damaged: a lost index segment is made up for from the packs themselves", async () => {
    const [key] = await needed("index");
    await rm(join(copy, key!));
    const report = await from({ allowDamaged: true });
    expect(report.damage.map(({ object }) => object)).toContain(key);
    // The record that was found wrong before hurts the first snapshot, and that is all.
    expect(report.vaults.find(({ vault }) => vault === device.vault)).toMatchObject({
      records: chunks.length + pages.length,
      snapshots: 2,
    });
  });
});
