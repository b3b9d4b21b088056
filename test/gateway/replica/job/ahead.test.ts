// Packs that go to a replica while a backup runs: before its commit, and what becomes of them without one.

import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PackPlaces } from "../../../../gateway/index/packPlaces.ts";
import { packKey } from "../../../../gateway/replica/keys.ts";
import { ErrorCode, HoldfastError } from "../../../../vault/errors.ts";
import { ReplicatedGateway } from "./replicatedGateway.ts";
import { until, WatchedAhead } from "./watchedAhead.ts";
import { watchedStore } from "./watchedStore.ts";

let site: ReplicatedGateway;
let watch: WatchedAhead;

beforeEach(async () => {
  site = await ReplicatedGateway.create();
  watch = new WatchedAhead(site);
});
afterEach(async () => {
  await site.remove();
});

test("packs are there before the commit; it lists them, and sends none again", async () => {
  const replica = await site.addReplica("usb");
  await watch.start();
  await watch.empty(replica);
  const { commit } = await site.beginBackUp(40);
  const ahead = await watch.sentAhead(replica);
  expect(ahead.length).toBeGreaterThan(2);
  expect(watch.filesThere(replica)).toEqual([...ahead].sort());
  expect(site.check(replica)!.packs).toEqual([]);
  await until(async () => (await site.status(replica)).progress?.packsLeft === 0);
  expect(await site.status(replica)).toMatchObject({
    state: "running",
    pendingSnapshots: 0,
    lagHours: null,
    progress: { packsDone: ahead.length, packsLeft: 0, bytesLeft: 0, etaSeconds: 0 },
  });
  const id = await commit();
  await watch.offsite(replica, id);
  const there = site.check(replica)!;
  expect(there.snapshots).toEqual([id]);
  expect([...there.packs].sort()).toEqual(await site.localPacks());
  expect(there.root.generation).toBe(2);
  expect(watch.puts.length).toBe(there.packs.length);
  expect(new Set(watch.puts).size).toBe(watch.puts.length);
  await until(async () => (await site.status(replica)).state === "idle");
});

test("backups side by side: each commit lists what is there, the other goes on", async () => {
  const replica = await site.addReplica("usb");
  await watch.start();
  const device = await site.fixture.device(site.device.account, "desktop");
  const first = await site.beginBackUp(25);
  const [own, other] = [site.device, device];
  site.device = other;
  const second = await site.beginBackUp(25);
  site.device = own;
  await watch.sentAhead(replica);
  const one = await first.commit();
  await watch.offsite(replica, one);
  site.device = other;
  const two = await second.commit();
  await watch.offsite(replica, two);
  site.device = own;
  expect([...site.check(replica)!.snapshots].sort()).toEqual([one, two].sort());
  expect(new Set(watch.puts).size).toBe(watch.puts.length);
});

test("a backup that ends without a commit: its packs are left there unlisted, and the next root lists them", async () => {
  const replica = await site.addReplica("usb");
  await watch.start(1);
  await watch.empty(replica);
  await site.beginBackUp(40);
  const ahead = await watch.sentAhead(replica);
  await until(async () => (await site.status(replica)).state === "idle");
  expect(site.check(replica)!.packs).toEqual([]);
  const places = new PackPlaces((await site.vault()).store.environment);
  for (const { ordinal, name } of (await site.vault()).store.packs.all()) {
    if (name !== undefined) expect(places.get(ordinal, replica.id)).toMatchObject({ listed: false });
  }
  const { id } = await site.backUp(1);
  await watch.offsite(replica, id);
  expect([...site.check(replica)!.packs].sort()).toEqual(await site.localPacks());
  expect(watch.puts.filter((key) => ahead.includes(key))).toHaveLength(ahead.length);
});

test("after a restart nothing is sent again: what was put is looked for before a root lists it", async () => {
  const replica = await site.addReplica("usb");
  await watch.start();
  await site.beginBackUp(40);
  const ahead = await watch.sentAhead(replica);
  await site.through((store) => store);
  await site.fixture.stop();
  await site.restart();
  watch.puts = [];
  const [gone] = ahead as [string];
  rmSync(join(site.folder("usb"), gone));
  await watch.start();
  const { id } = await site.backUp(1);
  await watch.offsite(replica, id);
  // One was taken away meanwhile: that alone goes again.
  expect(watch.puts.filter((key) => ahead.includes(key))).toEqual([gone]);
  for (const key of ahead) expect(watch.heads).toContain(key);
  expect([...site.check(replica)!.packs].sort()).toEqual(await site.localPacks());
});

test("a pack whose put was never answered is found there, and not sent again", async () => {
  const replica = await site.addReplica("usb");
  let lost = 1;
  const sent = new Map<string, number>();
  const replication = await site.through((store) => {
    const watched = watchedStore(
      store,
      () => undefined,
      (request) => {
        if (request.name !== "put" || !request.key.includes("/packs/") || lost-- <= 0) return;
        throw new HoldfastError(ErrorCode.replicaUnreachable, "the answer was lost");
      },
    );
    return {
      ...watched,
      putIfAbsent: async (key, source, options) => {
        const answer = await watched.putIfAbsent(key, source, options);
        if (answer.outcome === "created" && key.includes("/packs/")) sent.set(key, (sent.get(key) ?? 0) + 1);
        return answer;
      },
    };
  });
  replication.start();
  const { commit } = await site.beginBackUp(40);
  await watch.sentAhead(replica);
  const id = await commit();
  await watch.offsite(replica, id);
  expect([...sent.values()].every((times) => times === 1)).toBe(true);
  // The first was there already when it was put for the second time.
  expect(sent.size).toBe((await site.localPacks()).length - 1);
});

test("who asks for a run while a backup is under way gets what is there listed", async () => {
  const replica = await site.addReplica("usb");
  await watch.start();
  await watch.empty(replica);
  const { commit } = await site.beginBackUp(40);
  const ahead = await watch.sentAhead(replica);
  expect(await site.run(replica)).toMatchObject({ outcome: "done", snapshots: 0, generation: 2 });
  expect(
    site
      .check(replica)!
      .packs.map((name) => packKey(site.vaultId, Buffer.from(name, "hex")))
      .sort(),
  ).toEqual([...ahead].sort());
  const id = await commit();
  await watch.offsite(replica, id);
  expect(site.check(replica)!.snapshots).toEqual([id]);
});
