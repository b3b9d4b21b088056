// A device with a valid token reports sound records of its group as wrong, and puts others in their place: nothing is lost by it.

import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bitAt } from "../../../ingest/wire/bitmap.ts";
import { RecordStatus } from "../../../ingest/wire/recordStatus.ts";
import { toHex } from "../../../vault/bytes.ts";
import { RecordType } from "../../../vault/magic.ts";
import { openRecord, sealRecord } from "../../../vault/record.ts";
import {
  dataRecord,
  GatewayFixture,
  pageRecord,
  snapshotOf,
  type TestDevice,
  type TestRecord,
} from "../gatewayFixture.ts";

let fixture: GatewayFixture;
let anna: TestDevice;
let taken: TestDevice;
let chunk: TestRecord;
let page: TestRecord;
let root: TestRecord;

beforeAll(async () => {
  fixture = await GatewayFixture.create();
  const account = await fixture.account("anna");
  anna = await fixture.device(account, "laptop");
  taken = await fixture.device(account, "taken over");
});
afterAll(() => fixture.remove());

async function sessionOf(
  device: TestDevice,
  name: string,
): Promise<{ item: { id: string }; session: string }> {
  const item = await device.client.putItem(name);
  const request = { vault: device.vault, item: item.id, highestSequence: 0 };
  return { item, session: (await device.client.startSession(request)).session };
}

/** Anna's snapshot of a page with one chunk. */
async function backUp(name: string): Promise<string> {
  const { item, session } = await sessionOf(anna, name);
  chunk = dataRecord(anna);
  page = pageRecord(anna, [chunk.id], `page of ${name}`);
  root = pageRecord(anna, [page.id], `root of ${name}`);
  await anna.client.records(session, [chunk.record, page.record, root.record]);
  return (await anna.client.commit(session, snapshotOf(anna, item, 1, null, root.id).bytes)).snapshot;
}

/** What a reader finds under an id: the record's own bytes, or others. */
async function found(wanted: TestRecord, device = anna): Promise<"sound" | "wrong" | "missing"> {
  const [result] = await device.client.readAll(device.vault, device.group, [wanted.id]);
  if (result?.state !== "record") return "missing";
  return result.record.equals(wanted.record) ? "sound" : "wrong";
}

const report = (device: TestDevice, records: readonly TestRecord[]) =>
  device.client.suspect(device.vault, { group: device.group, ids: records.map(({ id }) => toHex(id)) });

/** A record that opens, under the id of another. */
function liar(
  device: TestDevice,
  wanted: TestRecord,
  type: RecordType,
  refs: readonly Buffer[] = [],
): Buffer {
  const parts = { keys: device.account.keys, group: device.group, type, refs: Buffer.concat(refs) };
  return sealRecord({ ...parts, plaintext: randomBytes(3000), id: wanted.id });
}

async function put(device: TestDevice, session: string, record: Buffer): Promise<void> {
  expect([...(await device.client.records(session, [record])).statuses]).toEqual([RecordStatus.stored]);
}

const rowOf = async ({ id }: TestRecord) => {
  const vault = await fixture.gateway.vault(anna.vault);
  await vault.store.flush(() => undefined);
  const row = vault.store.overlay.lookup(anna.group, id)!;
  return { row, refs: vault.store.index.refsOf(row.ordinal) };
};

test("every record of a snapshot reported: it is read as before, by this device and by others, after a restart too", async () => {
  const snapshot = await backUp("reported");
  expect(await report(taken, [chunk, page, root])).toMatchObject({ quarantined: 3 });
  expect(await report(taken, [chunk, page, root])).toMatchObject({ quarantined: 0 });
  await fixture.stop();
  await fixture.start();
  anna = { ...anna, client: fixture.client(anna.token) };
  taken = { ...taken, client: fixture.client(taken.token) };
  expect((await anna.client.snapshotObject(snapshot)).length).toBeGreaterThan(0);
  for (const record of [root, page, chunk]) expect(await found(record)).toBe("sound");
  // Only uploads are asked for again.
  const { session } = await sessionOf(anna, "again");
  expect(bitAt(await anna.client.have(session, [chunk.id]), 0)).toBe(false);
  await put(anna, session, dataRecord(anna).record);
});

test("others put in their place: an honest reader's report brings the sound ones back, with what they refer to", async () => {
  await backUp("replaced");
  const before = await rowOf(page);
  await report(taken, [chunk, page]);
  const { session } = await sessionOf(taken, "lies");
  await put(taken, session, liar(taken, chunk, RecordType.data));
  await put(taken, session, liar(taken, page, RecordType.data));
  expect([await found(chunk), await found(page)]).toEqual(["wrong", "wrong"]);
  expect((await rowOf(page)).refs).toEqual([]);
  const answer = await report(anna, [chunk, page]);
  expect(answer).toEqual({ quarantined: 2, writers: [{ device: "taken over" }, { device: "taken over" }] });
  expect([await found(chunk), await found(page)]).toEqual(["sound", "sound"]);
  const after = await rowOf(page);
  expect(after.refs).toEqual(before.refs);
  expect(after.row).toMatchObject({
    pack: before.row.pack,
    offset: before.row.offset,
    type: before.row.type,
  });
  const [opened] = await anna.client.readAll(anna.vault, anna.group, [page.id]);
  const wanted = { keys: anna.account.keys, group: anna.group, expectedId: page.id };
  const record = opened?.state === "record" ? opened.record : Buffer.alloc(0);
  expect(openRecord({ ...wanted, expectedType: RecordType.directory, record }).refs.equals(chunk.id)).toBe(
    true,
  );
});

test("however often it is done again, the first copy stays, and the kept ones are few", async () => {
  await backUp("often");
  const { session } = await sessionOf(taken, "more lies");
  for (let i = 0; i < 12; i++) {
    await report(taken, [chunk]);
    await put(taken, session, liar(taken, chunk, RecordType.data));
  }
  let reports = 0;
  for (; (await found(chunk)) !== "sound"; reports++) await report(anna, [chunk]);
  // Its writer's own, and of the liar two and the one that had not been reported.
  expect(reports).toBeLessThanOrEqual(3);
  // What he reports again changes nothing for who found the sound one.
  await report(anna, [page]);
  expect(await found(chunk)).toBe("sound");
});

test("a circle that a replaced record makes is walked once", async () => {
  await backUp("circle");
  await report(taken, [chunk]);
  const { session, item } = await sessionOf(taken, "circle");
  await put(taken, session, liar(taken, chunk, RecordType.directory, [root.id]));
  const top = pageRecord(taken, [root.id], "above the circle");
  await put(taken, session, top.record);
  // Something needed, so that commit and `whole` walk.
  const needed = dataRecord(taken);
  await put(taken, session, needed.record);
  await report(taken, [needed]);
  expect(bitAt(await taken.client.whole(session, [top.id]), 0)).toBe(true);
  await taken.client.commit(session, snapshotOf(taken, item, 1, null, top.id).bytes);
});

test("what is not here, or of another group, cannot be reported", async () => {
  expect(await report(taken, [dataRecord(taken)])).toEqual({ quarantined: 0, writers: [null] });
  await expect(
    taken.client.suspect(taken.vault, { group: taken.group + 1, ids: [toHex(chunk.id)] }),
  ).rejects.toMatchObject({ code: "forbidden" });
});
