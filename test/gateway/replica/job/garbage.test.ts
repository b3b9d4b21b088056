// What leaves a vault leaves its replicas: lists first, bytes sixteen roots later, receipts anew, and a restore finds what stays.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { GcResult } from "../../../../gateway/admin/gcOperations.ts";
import { noSettings } from "../../../../gateway/guard/thresholds.ts";
import { CopiedPacks } from "../../../../gateway/index/copiedPacks.ts";
import { restoreFrom } from "../../../../gateway/replica/restore/restoreFrom.ts";
import { parseRecoveryKey } from "../../../../vault/keys/recoveryKey.ts";
import { GatewayFixture } from "../../gatewayFixture.ts";
import { ReplicatedGateway } from "./replicatedGateway.ts";
import { watchedStore } from "./watchedStore.ts";

let site: ReplicatedGateway;
let nowMs: number;

beforeEach(async () => {
  nowMs = Date.UTC(2026, 10, 1);
  site = await ReplicatedGateway.create({ now: () => new Date(nowMs) });
  // Snapshots of nothing but new records are what it looks for.
  const settings = { ...noSettings, off: true };
  await site.fixture.administration.guard.set({ account: "anna", vault: "main", settings });
});
afterEach(async () => {
  await site.remove();
});

const gc = (): Promise<GcResult> =>
  site.fixture.administration.gc(
    { dryRun: false, evicted: false, budgetBytes: null, forSeconds: null },
    { onProgress: () => {}, signal: new AbortController().signal },
  );

/** Moves snapshots to the trash and lets their time pass. */
async function remove(...snapshots: readonly string[]): Promise<void> {
  await site.fixture.administration.retention.remove(snapshots, "test");
  nowMs += 15 * 86_400_000;
}

test("packs and snapshots that left are doomed, receipts are given anew, and a gateway comes back without them", async () => {
  const old = await site.backUp(60);
  const replica = await site.addReplica("usb");
  await site.run(replica);
  const kept = old.records.filter((_, at) => at % 6 === 0);
  const next = await site.backUp(10, 2000, kept);
  await site.run(replica);
  const before = site.check(replica)!;
  const first = await site.receipt(replica, next.id);
  await remove(old.id);
  const [collected] = (await gc()).vaults;
  expect(collected).toMatchObject({ plan: { snapshots: 1 }, waitingPacks: 0 });
  expect(collected!.repackedPacks).toBeGreaterThan(0);
  const report = await site.run(replica);
  expect(report).toMatchObject({ outcome: "done", failure: null, unsent: [] });
  const there = site.check(replica)!;
  expect(there.snapshots).toEqual([next.id]);
  expect([...there.packs].sort()).toEqual(await site.localPacks());
  const gone = before.packs.filter((name) => !there.packs.includes(name));
  expect(gone.length).toBeGreaterThan(3);
  for (const name of [...gone, old.id]) expect(there.doomed).toContain(name);
  // There still, for who reads an older root.
  const file = (name: string): string =>
    join(site.folder("usb"), "vaults", site.vaultId, "packs", name.slice(0, 2), name);
  for (const name of gone) expect(existsSync(file(name))).toBe(true);
  const again = await site.receipt(replica, next.id);
  expect(again!.generation).toBeGreaterThan(first!.generation);
  expect(again).toMatchObject({ root: there.rootHash, packs: there.packs.length });
  expect(await site.receipt(replica, old.id)).toBeUndefined();
  // Nothing more is to be done, and told.
  expect(await site.status(replica)).toMatchObject({ pendingSnapshots: 0, pendingPacks: 0 });
  expect((await site.run(replica)).generation).toBe(there.root.generation);
  const data = join(site.scratch, "back");
  const restored = await restoreFrom({
    url: replica.url,
    options: {},
    recoveryKey: parseRecoveryKey("gateway", site.fixture.recoveryKey),
    data,
    listen: undefined,
    wanted: "newest",
    keepRemote: true,
    allowDamaged: false,
    dryRun: false,
    now: () => new Date(nowMs),
    signal: new AbortController().signal,
    onPlan: () => undefined,
    onProgress: () => undefined,
  });
  expect(restored.damage).toEqual([]);
  const fixture = new GatewayFixture(data, {});
  await fixture.start();
  try {
    const vault = await fixture.gateway.vault(site.vaultId);
    expect(vault.catalog.allSnapshots().map(({ id }) => id)).toEqual([next.id]);
    for (const { id, record } of [...kept, ...next.records]) {
      for await (const read of vault.read(site.device.group, id)) expect(read).toEqual(record);
    }
  } finally {
    await fixture.stop();
  }
  // Sixteen roots later the bytes go.
  for (let n = 0; n < 17; n++) {
    await site.backUp(1);
    await site.run(replica);
  }
  for (const name of gone) expect(existsSync(file(name))).toBe(false);
  site.check(replica);
}, 120_000);

test("a snapshot there that this catalog never knew keeps every pack in its place", async () => {
  const strange = await site.backUp(30);
  const replica = await site.addReplica("usb");
  await site.run(replica);
  await site.backUp(2);
  await site.run(replica);
  const before = site.check(replica)!;
  const vault = await site.vault();
  const row = vault.catalog.snapshot(strange.id)!;
  // As on a gateway that took over and had not heard of it: nothing of it is noted.
  vault.store.environment.write(() => vault.catalog.leave(row));
  expect((await gc()).vaults[0]!.removedPacks).toBeGreaterThan(0);
  await site.run(replica);
  const there = site.check(replica)!;
  for (const name of before.packs) expect(there.packs).toContain(name);
  expect(there.snapshots).toContain(strange.id);
});

test("a snapshot whose records repack moves while it is sent is listed when the copies are", async () => {
  const old = await site.backUp(60);
  const kept = old.records.filter((_, at) => at % 6 === 0);
  const next = await site.backUp(1, 2000, kept);
  await remove(old.id);
  const { store } = await site.vault();
  await store.closeOpenPacks();
  const replica = await site.addReplica("usb");
  const copied = Promise.withResolvers<void>();
  const sent = Promise.withResolvers<void>();
  let collecting: Promise<GcResult> | undefined;
  // The run has closed packs and looks for the newest root: records move, and their packs go, before it takes any.
  await site.through((real) =>
    watchedStore(real, async () => {
      if (collecting !== undefined) return await copied.promise;
      const close = vi.spyOn(store, "closeOpenPacks").mockImplementation(async () => {
        copied.resolve();
        await sent.promise;
        close.mockRestore();
        await store.closeOpenPacks();
      });
      collecting = gc();
      void collecting.then(() => copied.resolve());
      await copied.promise;
    }),
  );
  await site.run(replica);
  expect(site.check(replica)?.snapshots ?? []).toEqual([]);
  sent.resolve();
  expect((await collecting)!.vaults[0]!.repackedPacks).toBeGreaterThan(0);
  await store.closeOpenPacks();
  await site.run(replica);
  const there = site.check(replica)!;
  expect(there.snapshots).toEqual([next.id]);
  expect([...there.packs].sort()).toEqual(await site.localPacks());
  expect(await site.receipt(replica, next.id)).toBeDefined();
});

test("what repack copied from stays listed until the copies are", async () => {
  const old = await site.backUp(30);
  const replica = await site.addReplica("usb");
  await site.run(replica);
  await site.backUp(1);
  await site.run(replica);
  await remove(old.id);
  const { commit } = await site.beginBackUp(1);
  const vault = await site.vault();
  // As if copies were in the pack that is still open.
  const [open] = vault.store.packs.openPacks();
  expect(open).toBeDefined();
  const before = site.check(replica)!;
  expect((await gc()).vaults[0]!.removedPacks).toBeGreaterThan(1);
  const { environment } = vault.store;
  environment.write(() => new CopiedPacks(environment).note(open!.ordinal));
  await site.run(replica);
  for (const name of before.packs) expect(site.check(replica)!.packs).toContain(name);
  await commit();
  await site.run(replica);
  expect([...site.check(replica)!.packs].sort()).toEqual(await site.localPacks());
});

test("a pack that was sent and is in no root yet waits for one, then goes as any other", async () => {
  await site.backUp(1);
  const replica = await site.addReplica("usb");
  await site.run(replica);
  const { records } = await site.beginBackUp(12);
  const vault = await site.vault();
  await vault.store.closeOpenPacks();
  const [lease] = vault.catalog.leases.open();
  vault.catalog.leases.endOf([lease!.device]);
  const packs = [...vault.store.packs.all()].filter(
    ({ ordinal }) => vault.store.elsewhere!.places.get(ordinal, replica.id) === undefined,
  );
  const place = { listed: false, proof: "hashed", provenMs: nowMs } as const;
  for (const { ordinal } of packs) vault.store.elsewhere!.places.put(ordinal, replica.id, place);
  const [waiting] = (await gc()).vaults;
  expect(waiting).toMatchObject({ records: records.length, removedPacks: 0, waitingPacks: packs.length });
  await site.run(replica);
  expect(site.check(replica)!.packs).toHaveLength(packs.length + 2);
  expect((await gc()).vaults[0]).toMatchObject({ removedPacks: packs.length, waitingPacks: 0 });
  await site.run(replica);
  expect(site.check(replica)!.packs).toHaveLength(2);
});

test("packs that are in a replica alone go when they are dead; those that live in part are written anew only when asked for", async () => {
  const old = await site.backUp(40);
  const replica = await site.addReplica("usb");
  await site.run(replica);
  const kept = old.records.slice(0, 3);
  await site.backUp(1, 2000, kept);
  await site.run(replica);
  const vault = await site.vault();
  const { elsewhere, packs } = vault.store;
  for (const { ordinal, kind } of packs.all()) {
    if (kind === "data") expect(await elsewhere!.moves.evict(ordinal)).toEqual({ evicted: true });
  }
  await remove(old.id);
  const [first] = (await gc()).vaults;
  expect(first!.removedPacks).toBeGreaterThan(1);
  expect(first!.plan.evictedDeadBytes).toBeGreaterThan(0);
  const evicted = (): number => [...packs.all()].filter(({ state }) => state === "evicted").length;
  const before = evicted();
  expect(before).toBeGreaterThan(0);
  for (const { id, record } of kept) {
    for await (const read of vault.read(site.device.group, id)) expect(read).toEqual(record);
  }
  const { administration } = site.fixture;
  const asked = { dryRun: false, evicted: true, budgetBytes: null, forSeconds: null };
  const watch = { onProgress: () => {}, signal: new AbortController().signal };
  const [second] = (await administration.gc(asked, watch)).vaults;
  expect(second!.repackedPacks).toBeGreaterThan(0);
  expect(evicted()).toBeLessThan(before);
  await site.run(replica);
  expect([...site.check(replica)!.packs].sort()).toEqual(await site.localPacks());
  for (const { id, record } of kept) {
    for await (const read of vault.read(site.device.group, id)) expect(read).toEqual(record);
  }
});

test("small packs of many runs are merged, and the replica follows", async () => {
  const replica = await site.addReplica("usb");
  const snapshots: string[] = [];
  for (let n = 0; n < 4; n++) {
    snapshots.push((await site.backUp(2, 400)).id);
    await site.run(replica);
  }
  const before = site.check(replica)!;
  expect(before.packs.length).toBe(8);
  const [collected] = (await gc()).vaults;
  expect(collected).toMatchObject({ mergedPacks: 8, repackedPacks: 0, records: 0, waitingPacks: 0 });
  await site.run(replica);
  const there = site.check(replica)!;
  expect([...there.packs].sort()).toEqual(await site.localPacks());
  expect(there.packs.length).toBe(2);
  for (const name of before.packs) expect(there.doomed).toContain(name);
  for (const id of snapshots) expect(await site.receipt(replica, id)).toMatchObject({ root: there.rootHash });
  expect((await gc()).vaults).toMatchObject([{ mergedPacks: 0, copiedBytes: 0 }]);
});

test("the trailers of packs that are long gone leave the index of a replica", async () => {
  const replica = await site.addReplica("usb");
  for (let n = 0; n < 7; n++) {
    const { id } = await site.backUp(180);
    await site.run(replica);
    if (n < 6) await site.backUp(1);
    if (n < 6) await remove(id);
  }
  await gc();
  await site.run(replica);
  const stale = site.check(replica)!;
  const entries = ({ segments }: typeof stale): number => segments.reduce((sum, { packs }) => sum + packs, 0);
  expect(entries(stale)).toBeGreaterThan(2 * stale.packs.length + 64);
  await site.backUp(1);
  await site.run(replica);
  const there = site.check(replica)!;
  expect(entries(there)).toBe(there.packs.length);
});
