// Which snapshots wait because of what they reach, and have no receipt until it is there.

import { randomBytes } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SnapshotReach } from "../../../../gateway/replica/job/snapshotReach.ts";
import { dataRecord, pageRecord, posingAs, type TestRecord } from "../../gatewayFixture.ts";
import { ReplicatedGateway } from "./replicatedGateway.ts";

let site: ReplicatedGateway;

beforeEach(async () => {
  site = await ReplicatedGateway.create();
});
afterEach(async () => {
  await site.remove();
});

async function packOf({ id }: TestRecord): Promise<number> {
  return (await site.vault()).store.lookup(site.device.group, id)!.pack;
}

test("a snapshot that reaches a pack which nobody closed waits, and the next run lists it", async () => {
  const replica = await site.addReplica("usb");
  const first = await site.backUp(3);
  const { store } = await site.vault();
  const close = store.closeOpenPacks.bind(store);
  store.closeOpenPacks = () => Promise.resolve();
  expect(await site.run(replica)).toMatchObject({ outcome: "done", snapshots: 0 });
  expect(site.check(replica)?.snapshots ?? []).toEqual([]);
  expect(await site.receipt(replica, first.id)).toBeUndefined();
  store.closeOpenPacks = close;
  expect(await site.run(replica)).toMatchObject({ outcome: "done", snapshots: 1 });
  expect(site.check(replica)?.snapshots).toEqual([first.id]);
  expect(await site.receipt(replica, first.id)).toBeDefined();
});

test("a reported page reaches what each copy of it refers to, whichever is served", async () => {
  const { device } = site;
  const vault = await site.vault();
  const friend = await site.fixture.device(device.account, "desktop");
  const own = dataRecord(device, randomBytes(500));
  const page = pageRecord(device, [own.id]);
  const root = pageRecord(device, [page.id], "root");
  await vault.admit(site.fixture.gateway.catalog.devices.get(device.id)!, [
    own.record,
    page.record,
    root.record,
  ]);
  await vault.store.closeOpenPacks();
  const honest = await packOf(page);
  await vault.quarantine(device.group, [page.id], friend.id);
  const child = dataRecord(friend, randomBytes(500));
  const posing = posingAs(page.id, pageRecord(friend, [child.id], "other"));
  await vault.admit(site.fixture.gateway.catalog.devices.get(friend.id)!, [child.record, posing]);
  await vault.store.closeOpenPacks();
  const reaches = async (pack: number): Promise<boolean> => {
    const { ordinal } = vault.store.lookup(device.group, root.id)!;
    const reach = new SnapshotReach(vault.store.index, vault.needs, [pack]);
    return !(await reach.whole(ordinal, new AbortController().signal));
  };
  const packs = [await packOf(own), await packOf(child), honest, await packOf(page)];
  expect(new Set(packs).size).toBe(4);
  for (const pack of packs) expect(await reaches(pack)).toBe(true);
  expect(await reaches(Math.max(...packs) + 1)).toBe(false);
});
