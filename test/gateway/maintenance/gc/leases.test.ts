// What garbage collection leaves to leases: what they uploaded, and what they were told is here.

import { afterAll, beforeAll, expect, test } from "vitest";
import { RecordStatus } from "../../../../ingest/wire/recordStatus.ts";
import { ErrorCode } from "../../../../vault/errors.ts";
import { encodeChunkList } from "../../../../vault/seed/chunkList.ts";
import { dataRecord, type GatewayFixture, pageRecord, type TestRecord } from "../../gatewayFixture.ts";
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

/** Sent in a session that has ended. */
async function uploadedBefore(who: VaultUser, record: TestRecord): Promise<void> {
  const { session } = await who.begin("files");
  await who.put(record);
  await who.end(session);
}

const stored: number = RecordStatus.stored;
const present: number = RecordStatus.present;

test("what a session uploaded lives while its lease does, through a restart and a session that takes over", async () => {
  const who = await user();
  const chunk = dataRecord(who.device);
  await who.begin("files");
  await who.put(chunk);
  await collect(who);
  await fixture.stop();
  await fixture.start();
  await collect(who);
  expect(await who.have(chunk.id)).toEqual([true]);
  // The agent that was killed comes back.
  const second = await who.begin("files");
  await collect(who);
  expect(await who.read(chunk.id)).toEqual(chunk.record);
  await who.end(second.session);
  await collect(who);
  expect(await who.hasRow(chunk.id)).toBe(false);
});

test("what a session sent and was told is there already lives as long as its lease", async () => {
  const who = await user();
  const friend = new VaultUser(fixture, await fixture.device(who.device.account, "desktop"));
  const chunk = dataRecord(who.device);
  await uploadedBefore(friend, chunk);
  const { session, item } = await who.begin("files");
  expect(await who.put(chunk)).toEqual([present]);
  await collect(who);
  const page = pageRecord(who.device, [chunk.id]);
  expect(await who.put(page)).toEqual([stored]);
  await who.commit(session, item, page.id);
  expect(await who.read(chunk.id)).toEqual(chunk.record);
});

test("two devices that upload a record at once both keep it as long as their leases", async () => {
  const who = await user();
  const friend = new VaultUser(fixture, await fixture.device(who.device.account, "desktop"));
  const chunk = dataRecord(who.device);
  const { session } = await who.begin("files");
  const other = await friend.begin("files");
  expect(await Promise.all([who.put(chunk), friend.put(chunk)])).toEqual([[stored], [present]]);
  await who.end(session);
  await collect(who);
  expect(await friend.read(chunk.id)).toEqual(chunk.record);
  await friend.end(other.session);
  await collect(who);
  expect(await who.hasRow(chunk.id)).toBe(false);
});

test("an honest copy of a reported record lives as long as the lease that brought it, and that of the copy before", async () => {
  for (const ends of ["first", "second"] as const) {
    const who = await user();
    const friend = new VaultUser(fixture, await fixture.device(who.device.account, "desktop"));
    const chunk = dataRecord(who.device);
    const first = await who.begin("files");
    expect(await who.put(chunk)).toEqual([stored]);
    await who.hasRow(chunk.id);
    const second = await friend.begin("files");
    await (await who.vault()).quarantine(who.device.group, [chunk.id], who.device.id);
    expect(await friend.put(chunk)).toEqual([stored]);
    await (ends === "first" ? who.end(first.session) : friend.end(second.session));
    await collect(who);
    expect(await who.have(chunk.id)).toEqual([true]);
    await fixture.stop();
    await fixture.start();
    await collect(who);
    expect(await who.read(chunk.id)).toEqual(chunk.record);
    await (ends === "first" ? friend.end(second.session) : who.end(first.session));
    await collect(who);
    expect(await who.hasRow(chunk.id)).toBe(false);
  }
});

test("a record that takes the place of a promised one lives as long as the lease that brought it", async () => {
  const who = await user();
  const chunk = dataRecord(who.device);
  const page = pageRecord(who.device, [chunk.id]);
  const vault = await who.vault();
  const first = await who.begin("first");
  const list = encodeChunkList([{ group: who.device.group, count: 1, prefixes: [chunk.id.subarray(0, 8)] }]);
  await vault.boxes.promise({ box: 1, seal: 1, list });
  expect(await who.put(page)).toEqual([stored]);
  await vault.boxes.close(1);
  await who.end(first.session);
  const { session } = await who.begin("second");
  expect(await who.put(chunk)).toEqual([stored]);
  await collect(who);
  expect(await who.read(chunk.id)).toEqual(chunk.record);
  await who.end(session);
  await collect(who);
  expect(await who.hasRow(chunk.id)).toBe(false);
});

test("what a session was told before a restart may be gone behind it: its page is refused, sent again, and right", async () => {
  const who = await user();
  const friend = new VaultUser(fixture, await fixture.device(who.device.account, "desktop"));
  const chunk = dataRecord(who.device);
  await uploadedBefore(friend, chunk);
  const { session, item } = await who.begin("files");
  expect(await who.have(chunk.id)).toEqual([true]);
  await collect(who);
  expect(await who.read(chunk.id)).toEqual(chunk.record);
  await fixture.stop();
  await fixture.start();
  await collect(who);
  const page = pageRecord(who.device, [chunk.id]);
  expect(await who.put(page)).toEqual([RecordStatus.waits]);
  await expect(who.commit(session, item, page.id)).rejects.toMatchObject({ code: ErrorCode.missingChunks });
  expect(await who.put(chunk, page)).toEqual([stored, stored]);
  await who.commit(session, item, page.id);
  expect(await who.read(chunk.id)).toEqual(chunk.record);
});
