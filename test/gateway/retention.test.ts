// Policies, prune and the trash on a real gateway: what agents and people see of it, and what survives a restart.

import { afterEach, beforeEach, expect, test } from "vitest";
import type { RetentionPolicy } from "../../gateway/maintenance/retention/policy.ts";
import { ErrorCode } from "../../vault/errors.ts";
import { GatewayFixture, pageRecord, snapshotOf, type TestDevice } from "./gatewayFixture.ts";

const policy: RetentionPolicy = {
  ...{ last: 0, hourly: 0, daily: 2, weekly: 0, monthly: 0, yearly: 0 },
  ...{ withinSeconds: 0, tags: [], timeZone: "UTC", trashSeconds: 3600 },
};
let fixture: GatewayFixture;
let device: TestDevice;
let nowMs: number;

beforeEach(async () => {
  nowMs = Date.UTC(2026, 10, 1);
  fixture = await GatewayFixture.create({ now: () => new Date(nowMs) });
  device = await fixture.device(await fixture.account("anna"), "laptop");
});
afterEach(async () => {
  await fixture.remove();
});

async function commit(name = "files"): Promise<string> {
  const item = await device.client.putItem(name);
  const { session } = await device.client.startSession({
    vault: device.vault,
    item: item.id,
    highestSequence: item.sequence,
  });
  const root = pageRecord(device, [], `${name} ${item.sequence}`);
  await device.client.records(session, [root.record]);
  const snapshot = snapshotOf(device, item, item.sequence + 1, item.head, root.id);
  return (await device.client.commit(session, snapshot.bytes)).snapshot;
}

/** One snapshot each twelve hours, the oldest first. */
async function history(count: number, item?: string): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n++) {
    ids.push(await commit(item));
    nowMs += 12 * 3_600_000;
  }
  return ids;
}

async function seen(): Promise<string[]> {
  return (await device.client.snapshots()).map(({ id }) => id);
}

const retention = () => fixture.administration.retention;
const setPolicy = (item?: string, given: RetentionPolicy | null = policy): Promise<void> =>
  retention().setPolicy({
    account: "anna",
    vault: "main",
    ...(item !== undefined && { item }),
    policy: given,
  });

test("without a policy everything stays", async () => {
  const ids = await history(5);
  expect(await retention().prune({ dryRun: false })).toMatchObject({ items: [], without: 1, trashed: 0 });
  expect(await seen()).toEqual(ids.toReversed());
});

test("what a policy does not keep leaves lists and reads, comes back as it was, and survives a restart", async () => {
  const ids = await history(6);
  const other = await history(2, "other");
  await setPolicy("files");
  const dry = await retention().prune({ dryRun: true });
  expect(dry).toMatchObject({ kept: 2, trashed: 4, without: 1, held: [] });
  expect(await seen()).toHaveLength(8);
  const before = await device.client.events(0);
  const done = await retention().prune({ dryRun: false });
  expect({ ...done, dryRun: true }).toEqual(dry);
  // Days have two snapshots each: the newest of the two newest days stay.
  const left = [...other.toReversed(), ids[5], ids[3]];
  expect(await seen()).toEqual(left);
  expect((await device.client.events(before.next - 1)).changed).toBe(true);
  for (const id of [ids[0], ids[4]] as string[]) {
    await expect(device.client.snapshotObject(id)).rejects.toMatchObject({ code: ErrorCode.notFound });
  }
  expect(await retention().prune({ dryRun: false })).toMatchObject({ trashed: 0, kept: 2 });

  await fixture.stop();
  await fixture.start();
  device = { ...device, client: fixture.client(device.token) };
  expect(await seen()).toEqual(left);
  const trash = await retention().snapshots({}, true);
  expect(trash.map(({ id }) => id)).toEqual([ids[4], ids[2], ids[1], ids[0]]);
  const until = new Date(nowMs + 3_600_000).toISOString();
  expect(trash[0]?.trash).toMatchObject({ by: "policy", until });
  expect(trash[0]).toMatchObject({ account: "anna", vault: "main", device: "laptop", item: "files" });

  await retention().undelete([(ids[1] as string).slice(0, 12)]);
  expect(await seen()).toEqual([...left, ids[1]]);
  expect((await device.client.snapshotObject(ids[1] as string)).length).toBeGreaterThan(0);
  await retention().undelete(null);
  expect(await seen()).toEqual([...other.toReversed(), ...ids.toReversed()]);
  // The chain goes on.
  const next = await commit();
  expect((await seen())[0]).toBe(next);
});

test("an item's policy replaces its vault's, and removing it gives the vault's back", async () => {
  const ids = await history(4);
  await history(4, "other");
  await setPolicy();
  await setPolicy("files", { ...policy, daily: 0, last: 3 });
  const rows = await retention().policies({});
  expect(rows.map(({ item }) => item)).toEqual([null, "files"]);
  const { items } = await retention().prune({ dryRun: true, item: "files" });
  expect(items).toHaveLength(1);
  expect(items[0]?.policy).toBe("item");
  expect(items[0]?.snapshots.filter(({ reasons }) => reasons.length === 0).map(({ id }) => id)).toEqual([
    ids[0],
  ]);
  await setPolicy("files", null);
  expect((await retention().prune({ dryRun: true })).items.map((item) => item.policy)).toEqual([
    "vault",
    "vault",
  ]);
  await expect(setPolicy("files", null)).rejects.toMatchObject({ code: ErrorCode.notFound });
});

test("pins and tags keep, by hand goes all that is named or nothing", async () => {
  const ids = (await history(5)) as [string, string, string, string, string];
  await setPolicy(undefined, { ...policy, daily: 0, last: 1, tags: ["quarter"] });
  await retention().mark({ snapshots: [ids[0]], pin: "the first", addTags: [], removeTags: [] });
  await retention().mark({ snapshots: [ids[1], ids[2]], addTags: ["quarter", "x"], removeTags: [] });
  await retention().mark({ snapshots: [ids[2]], addTags: [], removeTags: ["quarter"] });
  const refused = async (names: readonly string[]): Promise<unknown> =>
    await retention()
      .remove(names, "")
      .then(
        () => "gone",
        (error: { code: string }) => error.code,
      );
  expect(await refused([ids[3], ids[4]]), "the newest").toBe(ErrorCode.forbidden);
  expect(await refused([ids[3], ids[0]]), "a pinned one").toBe(ErrorCode.forbidden);
  expect(await refused(["zz"])).toBe(ErrorCode.usage);
  expect(await refused(["0".repeat(64)])).toBe(ErrorCode.notFound);
  expect(await seen()).toHaveLength(5);
  expect(await refused([ids[3]])).toBe("gone");
  expect((await retention().prune({ dryRun: false })).trashed).toBe(1);
  expect(await seen()).toEqual([ids[4], ids[1], ids[0]]);
  await retention().mark({ snapshots: [ids[0]], pin: null, addTags: [], removeTags: [] });
  expect((await retention().prune({ dryRun: false })).trashed).toBe(1);
  const shown = await retention().snapshots({ account: "anna" }, false);
  expect(shown.map(({ id, tags }) => [id, tags])).toEqual([
    [ids[4], []],
    [ids[1], ["quarter", "x"]],
  ]);
});

test("a clock that was set back, and an agent's own dates, push nothing out", async () => {
  const ids = await history(3);
  nowMs = Date.UTC(2020, 0, 1);
  const late = await commit();
  await setPolicy(undefined, { ...policy, daily: 0, last: 2 });
  await retention().prune({ dryRun: false });
  expect(await seen()).toEqual([late, ids[2]]);
});

test("names that nobody has", async () => {
  await history(1);
  const unknown = [{ account: "bob" }, { vault: "x" }, { device: "x" }, { item: "x" }];
  for (const scope of unknown) {
    await expect(retention().prune({ ...scope, dryRun: true })).rejects.toMatchObject({
      code: ErrorCode.notFound,
    });
  }
});
