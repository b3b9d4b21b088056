// Where garbage collection stops, waits, passes over, or leaves things as they are.

import { randomBytes } from "node:crypto";
import { truncateSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type GcPhase, gcPhases } from "../../../../gateway/maintenance/gc/collection.ts";
import { closedPackPath } from "../../../../gateway/store/packPaths.ts";
import { toHex } from "../../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../../vault/errors.ts";
import { encodeChunkList } from "../../../../vault/seed/chunkList.ts";
import {
  dataRecord,
  type GatewayFixture,
  pageRecord,
  posingAs,
  type TestRecord,
} from "../../gatewayFixture.ts";
import { collect, type GcClock, gcGateway, VaultUser } from "./gcFixture.ts";

const clock: GcClock = { nowMs: Date.UTC(2026, 10, 1) };
let fixture: GatewayFixture;

beforeAll(async () => {
  fixture = await gcGateway(clock);
});
afterAll(async () => {
  await fixture.remove();
});

const user = (): Promise<VaultUser> => VaultUser.enrolled(fixture);

/** A snapshot of some of these records (the first ones by number); the others are garbage. Packs are closed. */
async function halfAlive(
  who: VaultUser,
  records: readonly TestRecord[],
  alive: number | readonly TestRecord[],
): Promise<string> {
  const { session, item } = await who.begin("files");
  await who.put(...records);
  const living = typeof alive === "number" ? records.slice(0, alive) : alive;
  const ids = living.map(({ id }) => id);
  const root = pageRecord(who.device, ids, randomBytes(20).toString("hex"));
  await who.put(root);
  const snapshot = await who.commit(session, item, root.id);
  await (await who.vault()).store.closeOpenPacks();
  return snapshot;
}

function chunks(who: VaultUser, count: number): TestRecord[] {
  return Array.from({ length: count }, () => dataRecord(who.device, randomBytes(1500)));
}

async function expectRead(who: VaultUser, records: readonly TestRecord[]): Promise<void> {
  for (const { id, record } of records) expect(await who.read(id)).toEqual(record);
}

test("stopped in any phase, nothing is lost, and the next run ends it", async () => {
  for (const phase of gcPhases) {
    const who = await user();
    const records = chunks(who, 40);
    const alive = records.filter((_, at) => at % 5 === 0);
    // Packs that are dead, and some that live in part.
    await halfAlive(who, [...chunks(who, 20), ...records], alive);
    const stop = new AbortController();
    const seen = new Set<GcPhase>();
    const onProgress = ({ phase: now }: { readonly phase: GcPhase }): void => {
      seen.add(now);
      if (now === phase) stop.abort(new HoldfastError(ErrorCode.cancelled, "stopped"));
    };
    const stopped = collect(who, {}, { signal: stop.signal, onProgress });
    await expect(stopped, phase).rejects.toMatchObject({ code: ErrorCode.cancelled });
    expect(seen.has(phase)).toBe(true);
    await expectRead(who, alive);
    await fixture.stop();
    await fixture.start();
    await expectRead(who, alive);
    await collect(who);
    await expectRead(who, alive);
    for (const { id } of records) expect(await who.hasRow(id)).toBe(alive.some((each) => each.id.equals(id)));
    expect(who.packFiles().sort()).toEqual((await who.packNames()).sort());
  }
}, 120_000);

test("a read that has its places goes on while rows move and packs go", async () => {
  const who = await user();
  const records = chunks(who, 40);
  const alive = records.slice(0, 12);
  await halfAlive(
    who,
    [...records].sort(() => -1),
    0,
  );
  const { session, item } = await who.begin("files");
  const root = pageRecord(
    who.device,
    alive.map(({ id }) => id),
  );
  await who.put(root);
  await who.commit(session, item, root.id);
  const vault = await who.vault();
  const ids = Buffer.concat(alive.map(({ id }) => id));
  const reading = vault.read(who.device.group, ids);
  const first = await reading.next();
  expect(first.value).toEqual(alive[0]!.record);
  const before = who.packFiles();
  let ended = false;
  const collecting = collect(who).then((result) => {
    ended = true;
    return result;
  });
  for (let n = 0; n < 200; n++) await new Promise((resolve) => setImmediate(resolve));
  expect(ended).toBe(false);
  expect(who.packFiles()).toEqual(expect.arrayContaining(before));
  const rest: unknown[] = [];
  for await (const outcome of reading) rest.push(outcome);
  expect(rest).toEqual(alive.slice(1).map(({ record }) => record));
  const [result] = (await collecting).vaults;
  expect(result!.removedPacks + result!.repackedPacks).toBeGreaterThan(2);
  await expectRead(who, alive);
});

test("budgets of bytes and time leave the rest for another run", async () => {
  const who = await user();
  const records = chunks(who, 60);
  const alive = records.filter((_, at) => at % 3 === 0);
  await halfAlive(who, records, alive);
  const [timed] = (await collect(who, { forSeconds: 0 })).vaults;
  expect(timed).toMatchObject({ repackedPacks: 0, copiedBytes: 0 });
  expect(timed!.leftPacks).toBe(timed!.plan.repackPacks);
  const [small] = (await collect(who, { budgetBytes: 7000 })).vaults;
  expect(small!.copiedBytes).toBeLessThanOrEqual(7000);
  expect(small!.repackedPacks).toBeGreaterThan(0);
  expect(small!.leftPacks).toBe(timed!.leftPacks - small!.repackedPacks);
  const [all] = (await collect(who)).vaults;
  expect(all).toMatchObject({ repackedPacks: small!.leftPacks, leftPacks: 0, damagedPacks: 0 });
  await expectRead(who, alive);
  // What lives wholly is not written anew again, however small its packs are.
  await (await who.vault()).store.closeOpenPacks();
  expect((await collect(who)).vaults[0]).toMatchObject({ repackedPacks: 0, removedPacks: 0, freedBytes: 0 });
});

test("a pack that cannot be copied whole stays, and what is sound in it is read on", async () => {
  const who = await user();
  const records = chunks(who, 7);
  await halfAlive(who, [...records.slice(5), ...records.slice(0, 5)], 2);
  const vault = await who.vault();
  const data = [...vault.store.packs.all()].find(({ kind }) => kind === "data")!;
  const path = closedPackPath(fixture.gateway.vaultDirectory(vault.id), data.name!);
  truncateSync(path, data.bytes - 100);
  const [result] = (await collect(who)).vaults;
  expect(result).toMatchObject({ damagedPacks: 1, repackedPacks: 0 });
  expect(vault.store.packs.get(data.ordinal)).toBeDefined();
  await expectRead(who, records.slice(5));
});

test("nothing goes while a box is on its way, something holds the vault, or a root is missing", async () => {
  const who = await user();
  const garbage = chunks(who, 5);
  await halfAlive(who, garbage, 1);
  const vault = await who.vault();
  const end = vault.holds.hold("an import");
  expect((await collect(who)).held).toMatchObject([{ why: "held", message: "an import is under way" }]);
  end();
  const list = encodeChunkList([{ group: 1, count: 1, prefixes: [randomBytes(8)] }]);
  await vault.boxes.promise({ box: 1, seal: 1, list });
  expect(await collect(who)).toMatchObject({ vaults: [], held: [{ why: "box-open" }] });
  await expectRead(who, garbage);
  await vault.boxes.close(1);
  const collecting = collect(who);
  await new Promise((resolve) => setImmediate(resolve));
  expect(() => vault.holds.hold("an import")).toThrow(/collected/);
  await expect(collect(who)).rejects.toMatchObject({ code: ErrorCode.busy });
  expect((await collecting).vaults[0]!.records).toBe(4);
  // A snapshot whose root has no row: what it needs is not known.
  const snapshot = await halfAlive(who, chunks(who, 3), 1);
  const row = vault.catalog.snapshot(snapshot)!;
  const root = Buffer.from(row.root, "hex");
  const place = vault.store.index.lookup(row.group, root)!;
  vault.store.index.remove(row.group, root, place);
  const damaged = await collect(who);
  expect(damaged.held).toMatchObject([{ why: "damaged" }]);
  expect(damaged.held[0]!.message).toContain(snapshot);
});

test("a pinned snapshot, an item's newest one, and one whose time is not over stay in the trash", async () => {
  const who = await user();
  const ids: string[] = [];
  for (let n = 0; n < 4; n++) ids.push(await halfAlive(who, chunks(who, 2), 2));
  const vault = await who.vault();
  await who.trash(ids[0]!, ids[1]!, ids[3]!);
  const pin = { reason: "test", at: new Date(clock.nowMs).toISOString() };
  vault.store.environment.write(() => vault.catalog.retention.setMarks(ids[0]!, { pin, tags: [] }));
  expect((await collect(who)).vaults[0]!.plan.snapshots).toBe(0);
  clock.nowMs += 2000;
  expect((await collect(who)).vaults[0]!.plan.snapshots).toBe(1);
  const left = vault.catalog.allSnapshots().map(({ id }) => id);
  expect(left.sort()).toEqual([ids[0]!, ids[2]!, ids[3]!].sort());
  await expect(vault.snapshotObject({ ...vault.catalog.snapshot(ids[0]!)!, id: ids[1]! })).rejects.toThrow();
});

test("a reported record that lives keeps its copies and its need; a dead one loses both", async () => {
  const who = await user();
  const records = chunks(who, 12);
  await halfAlive(who, records, 3);
  const vault = await who.vault();
  const [wrong, dead] = [records[1]!, records[8]!];
  await vault.quarantine(who.device.group, [wrong.id, dead.id], who.device.id);
  expect(vault.needs.list()).toHaveLength(2);
  await collect(who);
  expect(vault.needs.list()).toMatchObject([{ id: toHex(wrong.id) }]);
  expect(vault.needs.kept()).toHaveLength(1);
  const { pack } = vault.store.overlay.lookup(who.device.group, wrong.id)!;
  expect(vault.needs.kept()[0]!.copies).toMatchObject([{ pack }]);
  expect(await who.have(wrong.id)).toEqual([false]);
  // An honest copy takes its place; what was reported stays as long as the record lives.
  await who.put(wrong);
  await collect(who);
  expect(vault.store.packs.get(pack)).toBeDefined();
  expect(vault.needs.unmet().size).toBe(0);
  await expectRead(who, records.slice(0, 3));
});

test("any copy of a reported record may be served again: what it refers to stays", async () => {
  const who = await user();
  const friend = new VaultUser(fixture, await fixture.device(who.device.account, "desktop"));
  const [first, second] = chunks(who, 2) as [TestRecord, TestRecord];
  const page = pageRecord(who.device, [first.id]);
  const root = pageRecord(who.device, [page.id], "root");
  const { session, item } = await who.begin("files");
  await who.put(first, page, root);
  await who.commit(session, item, root.id);
  const vault = await who.vault();
  const { group } = who.device;
  await vault.quarantine(group, [page.id], friend.device.id);
  const posing = posingAs(page.id, pageRecord(friend.device, [second.id], "other"));
  const sent = await friend.begin("files");
  await friend.put(second, { id: page.id, record: posing });
  await friend.end(sent.session);
  await vault.store.closeOpenPacks();
  await collect(who);
  expect(await who.read(page.id)).toEqual(posing);
  await expectRead(who, [first, second]);
  await vault.quarantine(group, [page.id], who.device.id);
  expect(await who.read(page.id)).toEqual(page.record);
  await collect(who);
  await expectRead(who, [first, second, page]);
});

test("files that a stop left behind a pack's row are removed when the vault is opened", async () => {
  const who = await user();
  await halfAlive(who, chunks(who, 12), 0);
  const vault = await who.vault();
  const dead = [...vault.store.packs.all()].find(({ kind }) => kind === "data")!;
  // As far as the transaction.
  const rows = [...vault.store.packs.all()]
    .filter(({ kind }) => kind === "data")
    .map(({ ordinal }) => ordinal);
  vault.store.removal.takeOut(rows, () => undefined);
  expect(who.packFiles()).toContain(toHex(dead.name!));
  await fixture.stop();
  await fixture.start();
  expect((await who.packNames()).sort()).toEqual(who.packFiles().sort());
  expect(who.packFiles()).not.toContain(toHex(dead.name!));
});

test("a set that is in force is in force again when the vault is opened, whatever was sent again meanwhile", async () => {
  const who = await user();
  const [gone, again] = chunks(who, 2) as [TestRecord, TestRecord];
  const { session } = await who.begin("files");
  await who.put(gone, again);
  await who.end(session);
  let vault = await who.vault();
  await vault.store.flush(() => undefined);
  const words = new Uint32Array(2048);
  for (const { id } of [gone, again]) {
    const { ordinal } = vault.store.index.lookup(who.device.group, id)!;
    words[ordinal >>> 5] = (words[ordinal >>> 5] as number) | (1 << (ordinal & 31));
  }
  const { dead, environment } = vault.store;
  const cycle = dead.begin();
  environment.write(() => {
    dead.putPiece(cycle, 0, words);
    dead.putInForce(cycle);
  });
  await fixture.stop();
  await fixture.start();
  await who.put(again);
  await fixture.stop();
  await fixture.start();
  expect(await who.have(gone.id, again.id)).toEqual([false, true]);
  vault = await who.vault();
  expect(vault.store.index.lookup(who.device.group, gone.id)).toBeUndefined();
  await expectRead(who, [again]);
  await who.begin("files");
  expect(await who.have(again.id)).toEqual([true]);
  await collect(who);
  await expectRead(who, [again]);
  expect(await who.hasRow(gone.id)).toBe(false);
});
