// Replication of a real gateway to folders: complete, incremental, idle, several replicas, documents, segments.

import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { gatewayFolder, rootKey } from "../../../../gateway/replica/keys.ts";
import { ReplicatedGateway } from "./replicatedGateway.ts";

let site: ReplicatedGateway;

beforeEach(async () => {
  site = await ReplicatedGateway.create();
});
afterEach(async () => {
  await site.remove();
});

test("a first run brings everything, proves it, and gives each snapshot a receipt", async () => {
  const first = await site.backUp(40);
  const second = await site.backUp(5);
  const replica = await site.addReplica("usb");
  expect(await site.status(replica)).toMatchObject({ state: "idle", pendingSnapshots: 2, generation: 0 });
  const report = await site.run(replica);
  expect(report).toMatchObject({ outcome: "done", failure: null, snapshots: 2, generation: 1, unsent: [] });
  const there = site.check(replica)!;
  expect([...there.packs].sort()).toEqual(await site.localPacks());
  expect(report.packs).toBe(there.packs.length);
  expect(there.packs.length).toBeGreaterThanOrEqual(5);
  expect(there.snapshots).toEqual([first.id, second.id]);
  expect(there.segments).toHaveLength(1);
  expect(there.catalog).toMatchObject({ vault: site.vaultId, items: [{ name: "files" }] });
  for (const { id } of [first, second]) {
    expect(await site.receipt(replica, id)).toMatchObject({
      vault: site.vaultId,
      snapshot: id,
      replica: replica.id,
      generation: 1,
      root: there.rootHash,
      merkle: there.root.merkle,
      packs: there.packs.length,
      proof: "read-back",
    });
  }
  const complete = { complete: true, receipt: true };
  expect(await site.status(replica)).toMatchObject({
    state: "idle",
    generation: 1,
    pendingPacks: 0,
    pendingBytes: 0,
    pendingSnapshots: 0,
    lagHours: null,
    snapshots: { [first.id]: complete, [second.id]: complete },
    usage: { snapshots: 2, runs: 1 },
  });
});

test("a second run brings what is new alone; one with nothing to do writes nothing", async () => {
  const { records } = await site.backUp(30);
  const replica = await site.addReplica("usb");
  const first = await site.run(replica);
  const before = site.check(replica)!;
  await site.backUp(3, 1000, records);
  const second = await site.run(replica);
  expect(second).toMatchObject({ outcome: "done", snapshots: 1, generation: 2 });
  expect(second.packs).toBeLessThan(first.packs);
  const there = site.check(replica)!;
  expect(there.packs.slice(0, before.packs.length)).toEqual(before.packs);
  expect(there.packs).toHaveLength(before.packs.length + second.packs);
  expect(there.segments).toHaveLength(2);
  const third = await site.run(replica);
  expect(third).toMatchObject({ outcome: "done", packs: 0, snapshots: 0, generation: 2 });
  expect(third.usage.sentBytes).toBe(0);
  expect(Object.keys(third.usage.requests).sort()).toEqual(["get", "head"]);
  expect(site.check(replica)).toEqual(there);
});

test("what was superseded is doomed, stays for who reads an older root, and is deleted and forgotten then", async () => {
  const replica = await site.addReplica("usb");
  await site.backUp(2);
  await site.run(replica);
  const { manifest, catalog } = site.check(replica)!.root;
  const first = [manifest, catalog].map(({ name }) => join(site.folder("usb"), "vaults", site.vaultId, name));
  const there = (): boolean[] => first.map((file) => existsSync(file));
  for (let generation = 2; generation <= 20; generation++) {
    await site.backUp(1, 100);
    expect(await site.run(replica)).toMatchObject({ outcome: "done", generation });
    expect(there()).toEqual(generation < 18 ? [true, true] : [false, false]);
  }
  const { doomed } = site.check(replica)!;
  // Some pages and a catalog for each generation that is kept, and for the one whose objects were deleted last.
  expect(doomed.length).toBeGreaterThan(16);
  expect(doomed.length).toBeLessThanOrEqual(18 * 6);
});

test("many small segments are joined; every pack stays in exactly one", async () => {
  const replica = await site.addReplica("usb");
  let snapshots = 0;
  for (; snapshots < 70; snapshots++) {
    await site.backUp(1, 100);
    await site.run(replica);
  }
  const there = site.check(replica)!;
  expect(there.snapshots).toHaveLength(snapshots);
  expect(there.packs.length).toBeGreaterThan(100);
  expect(there.segments.length).toBeLessThanOrEqual(64);
  expect(Math.max(...there.segments.map(({ packs }) => packs))).toBeGreaterThan(100);
});

test("several replicas have the same packs and receipts of their own; one is removed without the others", async () => {
  const { id } = await site.backUp(10);
  const one = await site.addReplica("one");
  const two = await site.addReplica("two", { parallel: 1 });
  const [first, second] = await Promise.all([site.run(one), site.run(two)]);
  expect([first.outcome, second.outcome]).toEqual(["done", "done"]);
  expect([...site.check(one)!.packs].sort()).toEqual([...site.check(two)!.packs].sort());
  const receipts = [await site.receipt(one, id), await site.receipt(two, id)];
  expect(receipts.map((receipt) => receipt?.replica)).toEqual([one.id, two.id]);
  const { replication, catalog } = site.fixture.gateway;
  await replication.remove(one.id);
  expect(catalog.replicas.list()).toEqual([two]);
  expect(await site.receipt(one, id)).toBeUndefined();
  expect(await site.receipt(two, id)).toBeDefined();
  await expect(replication.status(one.id)).rejects.toMatchObject({ code: "not-found" });
  await expect(replication.run({ replica: one.id })).rejects.toMatchObject({ code: "not-found" });
  await site.backUp(1);
  expect(await site.run(two)).toMatchObject({ outcome: "done", snapshots: 1 });
});

test("a new keys document goes to the replica without a snapshot", async () => {
  await site.backUp(1);
  const replica = await site.addReplica("usb");
  await site.run(replica);
  const before = site.check(replica)!.root;
  const other = await site.fixture.device(site.device.account, "second");
  expect(other.id).not.toBe(site.device.id);
  expect(await site.run(replica)).toMatchObject({ outcome: "done", packs: 0, generation: 2 });
  const { root } = site.check(replica)!;
  expect(root.keys.name).not.toBe(before.keys.name);
  expect(root.document).toEqual(before.document);
  const keys = readFileSync(join(site.fixture.path, "vaults", site.vaultId, root.keys.name));
  expect(createHash("sha256").update(keys).digest("hex")).toBe(root.keys.sha256);
});

test("progress is told, ends at nothing left, and has seen every byte", async () => {
  await site.backUp(60);
  const replica = await site.addReplica("usb");
  const told: { packsLeft: number; bytesLeft: number; bytesDone: number }[] = [];
  await site.fixture.gateway.replication.run({
    replica: replica.id,
    onProgress: (vault, progress) => {
      expect(vault).toBe(site.vaultId);
      told.push(progress);
    },
  });
  expect(told[0]).toMatchObject({ packsLeft: site.check(replica)!.packs.length, bytesDone: 0 });
  expect(told.at(-1)).toMatchObject({
    packsLeft: 0,
    bytesLeft: 0,
    bytesDone: site.check(replica)!.root.packBytes,
  });
});

test("no receipt before the gateway's own state is there: a restored gateway must know the vault", async () => {
  const { id } = await site.backUp(2);
  const replica = await site.addReplica("usb");
  const { replication } = site.fixture.gateway;
  const run = async () => (await replication.run({ replica: replica.id, vault: site.vaultId }))[0];
  // Where the folder of the gateway's chain should be made.
  writeFileSync(join(site.folder("usb"), "gateway"), "");
  expect(await run()).toMatchObject({ outcome: "failed", failure: { code: "replica-unreachable" } });
  expect(site.check(replica)!.snapshots).toEqual([id]);
  expect(await site.receipt(replica, id)).toBeUndefined();
  rmSync(join(site.folder("usb"), "gateway"));
  expect(await run()).toMatchObject({ outcome: "done" });
  expect(existsSync(join(site.folder("usb"), rootKey(gatewayFolder, 1)))).toBe(true);
  expect(await site.receipt(replica, id)).toBeDefined();
  await site.backUp(1);
  expect(await run()).toMatchObject({ outcome: "done" });
  expect(existsSync(join(site.folder("usb"), rootKey(gatewayFolder, 2))), "it had not changed").toBe(false);
});
