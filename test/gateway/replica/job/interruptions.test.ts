// Replication that is stopped, refused, cut off, or meets damage: what is there stays right, and the next run ends it.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Replica } from "../../../../gateway/catalog/replicas.ts";
import { openReplicaStore } from "../../../../gateway/replica/openStore.ts";
import { closedPackPath } from "../../../../gateway/store/packPaths.ts";
import { ErrorCode, HoldfastError } from "../../../../vault/errors.ts";
import { sourceOf } from "../../../conformance/sources.ts";
import { ReplicatedGateway } from "./replicatedGateway.ts";
import { type WatchedRequest, watchedStore } from "./watchedStore.ts";

let site: ReplicatedGateway;

beforeEach(async () => {
  site = await ReplicatedGateway.create();
});
afterEach(async () => {
  await site.remove();
});

const isPack = ({ name, key }: WatchedRequest): boolean => name === "put" && key.includes("/packs/");
const isRoot = ({ name, key }: WatchedRequest): boolean => name === "put" && key.includes("/root/");

function unreachable(): HoldfastError {
  return new HoldfastError(ErrorCode.replicaUnreachable, "the cable was pulled");
}

/** Everything is there, listed, and has receipts. */
async function expectComplete(replica: Replica, snapshots: readonly string[]): Promise<void> {
  const there = site.check(replica)!;
  expect([...there.packs].sort()).toEqual(await site.localPacks());
  expect([...there.snapshots].sort()).toEqual([...snapshots].sort());
  for (const id of snapshots) expect(await site.receipt(replica, id)).toBeDefined();
  expect(await site.status(replica)).toMatchObject({ state: "idle", failure: null, pendingSnapshots: 0 });
}

test("a run that is stopped half-way goes on where it was: no pack is sent twice", async () => {
  const { id } = await site.backUp(60);
  const replica = await site.addReplica("usb", { parallel: 2 });
  const stop = new AbortController();
  const sent: string[] = [];
  await site.through((store) =>
    watchedStore(
      store,
      () => undefined,
      (request) => {
        if (!isPack(request)) return;
        sent.push(request.key);
        if (sent.length === 3) stop.abort();
      },
    ),
  );
  const stopped = await site.run(replica, { signal: stop.signal });
  expect(stopped).toMatchObject({ outcome: "failed", failure: { code: "cancelled" } });
  expect(site.check(replica)).toBeUndefined();
  expect(await site.status(replica)).toMatchObject({ state: "idle", failure: null, pendingSnapshots: 1 });
  const done = await site.run(replica);
  expect(done.outcome).toBe("done");
  expect(new Set(sent).size).toBe(sent.length);
  await expectComplete(replica, [id]);
});

test("at every request the replica may go away; what is there is whole each time, and the next run ends it", async () => {
  const replica = await site.addReplica("usb", { parallel: 1 });
  const snapshots: string[] = [];
  let left = Number.POSITIVE_INFINITY;
  let lost = false;
  const count = (): void => {
    if (--left === 0) throw unreachable();
  };
  await site.through((store) =>
    watchedStore(store, lost ? () => undefined : count, lost ? count : undefined),
  );
  for (let at = 1; at < 60; at++) {
    // Requests that were not done and requests whose answers were lost, in turn.
    lost = at % 2 === 0;
    snapshots.push((await site.backUp(2, 500)).id);
    left = Math.ceil(at / 2);
    const report = await site.run(replica);
    left = Number.POSITIVE_INFINITY;
    site.check(replica);
    if (report.outcome === "failed") {
      expect(report.failure?.code).toBe("replica-unreachable");
      const again = await site.run(replica);
      expect([again.outcome, again.failure]).toEqual(["done", null]);
    }
    await expectComplete(replica, snapshots);
    if (report.outcome === "done" && at > 20) break;
  }
  expect(snapshots.length).toBeGreaterThan(20);
}, 120_000);

test("a pack that is damaged here is not sent, and holds back the snapshots that need it, and no others", async () => {
  const bad = await site.backUp(15);
  const good = await site.backUp(15);
  const vault = await site.vault();
  await vault.store.closeOpenPacks();
  const directory = site.fixture.gateway.vaultDirectory(site.vaultId);
  const { pack } = vault.store.lookup(site.device.group, bad.records[0]!.id)!;
  const { name } = vault.store.packs.get(pack)!;
  const path = closedPackPath(directory, name!);
  const bytes = readFileSync(path);
  const wrong = Buffer.from(bytes);
  wrong[wrong.length >> 1]! ^= 1;
  writeFileSync(path, wrong);
  const needsBoth = await site.backUp(0, 0, bad.records);
  const replica = await site.addReplica("usb");
  const report = await site.run(replica);
  const hex = Buffer.from(name!).toString("hex");
  expect(report).toMatchObject({ outcome: "done", unsent: [{ pack: hex, code: "chunk-damaged" }] });
  const there = site.check(replica)!;
  expect(there.packs).not.toContain(hex);
  expect(there.snapshots).toEqual([good.id]);
  const status = await site.status(replica);
  expect(status).toMatchObject({
    pendingSnapshots: 2,
    unsent: [{ pack: hex }],
    snapshots: {
      [bad.id]: { complete: false, receipt: false },
      [good.id]: { complete: true, receipt: true },
      [needsBoth.id]: { complete: false, receipt: false },
    },
  });
  rmSync(path);
  expect((await site.run(replica)).unsent).toMatchObject([{ pack: hex, code: "chunk-missing" }]);
  expect(site.check(replica)!.snapshots).toEqual([good.id]);
  // Healed: the next run brings it all.
  writeFileSync(path, bytes);
  expect(await site.run(replica)).toMatchObject({ outcome: "done", packs: 1, snapshots: 2, unsent: [] });
  await expectComplete(replica, [bad.id, good.id, needsBoth.id]);
});

test("left-overs of another writer count only when they read back right", async () => {
  const { id } = await site.backUp(30);
  const replica = await site.addReplica("usb");
  await (await site.vault()).store.closeOpenPacks();
  const [first, second] = await site.localPacks();
  const healed: string[] = [];
  await site.through((store) =>
    watchedStore(store, ({ name, key }) => {
      if (name === "heal") healed.push(key.slice(-64));
    }),
  );
  const store = await openReplicaStore(replica, { now: () => new Date() });
  const directory = site.fixture.gateway.vaultDirectory(site.vaultId);
  const key = (name: string): string => `vaults/${site.vaultId}/packs/${name.slice(0, 2)}/${name}`;
  const whole = readFileSync(closedPackPath(directory, Buffer.from(first!, "hex")));
  await store.putIfAbsent(key(first!), sourceOf(whole));
  await store.putIfAbsent(key(second!), sourceOf(Buffer.from("other bytes")));
  await store.close();
  expect((await site.run(replica)).outcome).toBe("done");
  expect(healed).toEqual([second]);
  await expectComplete(replica, [id]);
});

test("a copy that was found wrong is put there anew by the next run, and nothing is signed before that", async () => {
  const first = await site.backUp(30);
  const replica = await site.addReplica("usb");
  await site.run(replica);
  const vault = await site.vault();
  const { pack } = vault.store.lookup(site.device.group, first.records[0]!.id)!;
  const row = vault.store.packs.get(pack)!;
  const hex = Buffer.from(row.name!).toString("hex");
  const there = join(site.folder("usb"), "vaults", site.vaultId, "packs", hex.slice(0, 2), hex);
  const here = closedPackPath(site.fixture.gateway.vaultDirectory(site.vaultId), row.name!);
  writeFileSync(there, "not what it was");
  const wrong = new HoldfastError(ErrorCode.replicaDamaged, "found by a reader");
  vault.store.elsewhere!.copies.wrong(row, replica.id, wrong);
  // Without a good copy here: snapshots that need it wait, and others get no receipt, which would speak for all packs.
  const whole = readFileSync(here);
  rmSync(here);
  const second = await site.backUp(1);
  expect(await site.run(replica)).toMatchObject({ outcome: "done", snapshots: 1, unsent: [{ pack: hex }] });
  expect(await site.receipt(replica, second.id)).toBeUndefined();
  expect(await site.status(replica)).toMatchObject({ pendingSnapshots: 1 });
  writeFileSync(here, whole);
  expect(await site.run(replica)).toMatchObject({ outcome: "done", packs: 1, unsent: [] });
  await expectComplete(replica, [first.id, second.id]);
  expect(site.check(replica)!.root.generation).toBe(2);
});

test("another gateway that writes there fences this one, until it is told to take over; then the other is fenced", async () => {
  const first = await site.backUp(5);
  const replica = await site.addReplica("usb");
  await site.run(replica);
  // The same vault in another data directory: as a disk image that was copied, with memory of its own from here on.
  const twin = await ReplicatedGateway.twinOf(site);
  try {
    const [theirs] = twin.fixture.gateway.catalog.replicas.list() as [Replica];
    twin.fixture.gateway.catalog.replicas.remove(theirs.id);
    twin.fixture.gateway.catalog.replicas.add({ ...theirs, writer: "ab".repeat(16) });
    expect(await twin.run(theirs)).toMatchObject({ outcome: "failed", failure: { code: "replica-fenced" } });
    expect(await twin.status(theirs)).toMatchObject({ state: "fenced" });
    const second = await twin.backUp(5);
    expect(await twin.run(theirs)).toMatchObject({ failure: { code: "replica-fenced" } });
    expect(await twin.run(theirs, { takeOver: true })).toMatchObject({ outcome: "done", snapshots: 1 });
    expect(await twin.status(theirs)).toMatchObject({ state: "idle", failure: null });
    const there = site.check(replica)!;
    expect(there.snapshots).toEqual([first.id, second.id]);
    expect(there.root.fence).toBe(2);
    await site.backUp(1);
    expect(await site.run(replica)).toMatchObject({ outcome: "failed", failure: { code: "replica-fenced" } });
    expect(await site.status(replica)).toMatchObject({ state: "fenced", pendingSnapshots: 1 });
    expect(site.check(replica)!.rootHash).toBe(there.rootHash);
  } finally {
    await twin.remove();
  }
});

test("a root that another gateway puts in the same moment wins or loses, never both", async () => {
  await site.backUp(5);
  const replica = await site.addReplica("usb");
  await site.run(replica);
  const twin = await ReplicatedGateway.twinOf(site);
  try {
    const [theirs] = twin.fixture.gateway.catalog.replicas.list() as [Replica];
    const met: (() => void)[] = [];
    // Both wait before the root until the other is there too.
    const meet = async (request: WatchedRequest): Promise<void> => {
      if (!isRoot(request)) return;
      await new Promise<void>((resolve) => {
        met.push(resolve);
        if (met.length === 2) for (const go of met) go();
      });
    };
    await site.through((store) => watchedStore(store, meet));
    await twin.through((store) => watchedStore(store, meet));
    const [mine, other] = [await site.backUp(3), await twin.backUp(3)];
    const reports = await Promise.all([site.run(replica), twin.run(theirs)]);
    expect(reports.map(({ outcome }) => outcome).sort()).toEqual(["done", "failed"]);
    expect(reports.find(({ outcome }) => outcome === "failed")?.failure?.code).toBe("replica-fenced");
    const winner = reports[0]!.outcome === "done" ? mine.id : other.id;
    expect(site.check(replica)!.snapshots.at(-1)).toBe(winner);
  } finally {
    await twin.remove();
  }
});

test("a replica whose old state was put back is refused", async () => {
  await site.backUp(2);
  const replica = await site.addReplica("usb");
  await site.run(replica);
  await site.backUp(2);
  await site.run(replica);
  rmSync(join(site.folder("usb"), "vaults", site.vaultId, "root", "0000000002"));
  await site.backUp(2);
  expect(await site.run(replica)).toMatchObject({
    outcome: "failed",
    failure: { code: "rollback-detected" },
  });
  expect(await site.status(replica)).toMatchObject({
    state: "stopped",
    failure: { code: "rollback-detected" },
  });
});
