// Small packs that live wholly are written together: which, how often, and that everything is there afterwards.

import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isSmall, packsToMerge } from "../../../../gateway/maintenance/gc/smallPacks.ts";
import { limits } from "../../../../vault/limits.ts";
import { dataRecord, type GatewayFixture, pageRecord, type TestRecord } from "../../gatewayFixture.ts";
import { collect, type GcClock, gcGateway, VaultUser } from "./gcFixture.ts";

const target = limits.packBytesTarget;
const smallest = 1024;
const small = fc.array(
  // As many tiny ones as large ones.
  fc.double({ min: Math.log(smallest), max: Math.log(target / 4 - 1), noNaN: true }).map((log) => ({
    liveBytes: Math.floor(Math.exp(log)),
  })),
  { maxLength: 200 },
);
const seed = Number(process.env.FC_SEED ?? Date.now() % 1e9);
const sumOf = (packs: readonly { readonly liveBytes: number }[]): number =>
  packs.reduce((sum, { liveBytes }) => sum + liveBytes, 0);

/** What is small behind a merge: the rest of what was copied, cut into packs. */
function behind(packs: readonly { readonly liveBytes: number }[]): { liveBytes: number }[] {
  const merged = packsToMerge(packs, Number.POSITIVE_INFINITY);
  const rest = sumOf(merged) % target;
  const left = packs.filter((pack) => !merged.includes(pack));
  const isLeft = rest > 0 && isSmall({ bytes: rest, records: 1 }, target);
  return isLeft ? [...left, { liveBytes: rest }] : left;
}

test("the largest is at most a quarter of all; nothing is left to merge, and few packs are", () => {
  fc.assert(
    fc.property(small, (packs) => {
      const merged = packsToMerge(packs, Number.POSITIVE_INFINITY);
      const largest = Math.max(0, ...merged.map(({ liveBytes }) => liveBytes));
      expect(sumOf(merged)).toBeGreaterThanOrEqual(4 * largest);
      for (const pack of packs) if (pack.liveBytes < largest) expect(merged).toContain(pack);
      const left = behind(packs);
      expect(packsToMerge(left, Number.POSITIVE_INFINITY)).toEqual([]);
      // Each is larger than a third of all smaller ones.
      const factors = Math.log(target / 4 / smallest) / Math.log(4 / 3);
      expect(left.length).toBeLessThanOrEqual(factors + 5);
    }),
    { seed },
  );
});

test("no more is copied than the budget has, and never one pack alone", () => {
  fc.assert(
    fc.property(small, fc.integer({ min: 0, max: target }), (packs, bytesMax) => {
      const merged = packsToMerge(packs, bytesMax);
      expect(sumOf(merged)).toBeLessThanOrEqual(bytesMax);
      expect(merged.length).not.toBe(1);
    }),
    { seed },
  );
});

test("a year of hourly packs, merged once a day: each byte is copied a few times, few packs are left", () => {
  const MiB = 2 ** 20;
  let state = 7;
  const random = (): number => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return state / 2 ** 31;
  };
  let packs: { liveBytes: number }[] = [];
  let [written, copied, most] = [0, 0, 0];
  for (let day = 0; day < 365; day++) {
    for (let hour = 0; hour < 24; hour++) {
      const liveBytes = Math.floor((0.02 + 0.38 * random()) * MiB);
      packs.push({ liveBytes });
      written += liveBytes;
    }
    copied += sumOf(packsToMerge(packs, Number.POSITIVE_INFINITY));
    packs = behind(packs);
    most = Math.max(most, packs.length);
  }
  expect(most).toBeLessThan(6);
  expect(copied / written).toBeLessThan(2);
});

const clock: GcClock = { nowMs: Date.UTC(2026, 10, 1) };
let fixture: GatewayFixture;

beforeAll(async () => {
  // Of 50 snapshots nothing is left to merge when they are in one pack of each kind.
  fixture = await gcGateway(clock, { packBytesTarget: 400_000 });
});
afterAll(async () => {
  await fixture.remove();
});

test("50 small snapshots are in few packs afterwards, read as before and behind a restart, and a second run does nothing", async () => {
  const who = new VaultUser(fixture, await fixture.device(await fixture.account("acme"), "laptop"));
  const records: TestRecord[] = [];
  for (let n = 0; n < 50; n++) {
    const { session, item } = await who.begin("files");
    const data = dataRecord(who.device, randomBytes(500 + 40 * n));
    const root = pageRecord(who.device, [data.id], `root ${n}`);
    await who.put(data, root);
    await who.commit(session, item, root.id);
    records.push(data, root);
    await (await who.vault()).store.closeOpenPacks();
  }
  expect(who.packFiles().length).toBe(100);
  const [dry] = (await collect(who, { dryRun: true })).vaults;
  expect(dry!.plan).toMatchObject({ mergePacks: 100, repackPacks: 0, deadPacks: 0 });
  expect(dry).toMatchObject({ mergedPacks: 0, copiedBytes: 0 });
  expect(who.packFiles().length).toBe(100);
  const budgetBytes = Math.floor(dry!.plan.mergeCopyBytes / 2);
  const [half] = (await collect(who, { budgetBytes })).vaults;
  expect(half!.copiedBytes).toBeLessThanOrEqual(budgetBytes);
  expect(half!.mergedPacks).toBeGreaterThan(10);
  expect(half!.leftPacks).toBe(100 - half!.mergedPacks);
  const [rest] = (await collect(who)).vaults;
  expect(rest).toMatchObject({ mergedPacks: half!.leftPacks, leftPacks: 0, removedPacks: 0, records: 0 });
  // What was copied is in the packs that uploads go on with.
  expect(who.packFiles().length).toBe(0);
  await (await who.vault()).store.closeOpenPacks();
  expect(who.packFiles().length).toBe(2);
  const [again] = (await collect(who)).vaults;
  expect(again).toMatchObject({ mergedPacks: 0, copiedBytes: 0, freedBytes: 0, plan: { mergePacks: 0 } });
  const expectAll = async (): Promise<void> => {
    for (const { id, record } of records) expect(await who.read(id)).toEqual(record);
  };
  await expectAll();
  await fixture.stop();
  await fixture.start();
  await expectAll();
  expect(who.packFiles().sort()).toEqual((await who.packNames()).sort());
});

test("large ones, ones with very many records, and three small ones stay", async () => {
  expect(isSmall({ bytes: target / 4, records: 10 }, target)).toBe(false);
  expect(isSmall({ bytes: 1000, records: limits.packRecordsMax / 4 }, target)).toBe(false);
  expect(isSmall({ bytes: 1000, records: 10 }, target)).toBe(true);
  const equal = Array.from({ length: 3 }, () => ({ liveBytes: 1000 }));
  expect(packsToMerge(equal, Number.POSITIVE_INFINITY)).toEqual([]);
  expect(packsToMerge([...equal, { liveBytes: 1000 }], Number.POSITIVE_INFINITY).length).toBe(4);
});
