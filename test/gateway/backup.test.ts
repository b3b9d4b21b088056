import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bitAt } from "../../ingest/wire/bitmap.ts";
import { RecordStatus } from "../../ingest/wire/recordStatus.ts";
import { toHex } from "../../vault/bytes.ts";
import { dataRecord, GatewayFixture, pageRecord, snapshotOf, type TestDevice } from "./gatewayFixture.ts";

let fixture: GatewayFixture;
let device: TestDevice;

beforeAll(async () => {
  fixture = await GatewayFixture.create({ packBytesTarget: 300_000 });
  device = await fixture.device(await fixture.account("anna"), "laptop");
});
afterAll(async () => {
  await fixture.remove();
});

test("a whole backup: session, have, records, commit, list, read", async () => {
  const { client, vault, group } = device;
  const item = await client.putItem("files");
  expect(item).toMatchObject({ sequence: 0, head: null });
  const session = await client.startSession({ vault, item: item.id, highestSequence: 0 });
  const chunks = Array.from({ length: 300 }, () =>
    dataRecord(device, randomBytes(1 + Math.floor(Math.random() * 8000))),
  );
  const root = pageRecord(
    device,
    chunks.map((chunk) => chunk.id),
  );
  const ids = [...chunks.map((chunk) => chunk.id), root.id];
  const before = await client.have(session.session, ids);
  expect(ids.some((_, i) => bitAt(before, i))).toBe(false);
  const answer = await client.records(
    session.session,
    [...chunks, root].map((each) => each.record),
  );
  expect([...answer.statuses].every((status) => status === RecordStatus.stored)).toBe(true);
  const after = await client.have(session.session, ids);
  expect(ids.every((_, i) => bitAt(after, i))).toBe(true);
  const again = await client.records(session.session, [chunks[3]!.record, root.record]);
  expect([...again.statuses]).toEqual([RecordStatus.present, RecordStatus.present]);
  const snapshot = snapshotOf(device, item, 1, null, root.id);
  const committed = await client.commit(session.session, snapshot.bytes);
  expect(committed.snapshot).toBe(toHex(snapshot.id));
  expect(await client.commit(session.session, snapshot.bytes)).toEqual(committed);
  expect(await client.snapshots()).toMatchObject([
    { id: committed.snapshot, device: "laptop", item: "files", sequence: 1, group, incomplete: false },
  ]);
  expect(await client.snapshotObject(committed.snapshot)).toEqual(snapshot.bytes);
  const asked = [...ids, randomBytes(32)];
  let i = 0;
  for await (const result of client.read(vault, group, asked)) {
    if (i < chunks.length) expect(result).toEqual({ state: "record", record: chunks[i]!.record });
    if (i === asked.length - 1) expect(result.state).toBe("missing");
    i++;
  }
  expect(i).toBe(asked.length);
});

test("everything is there after a restart, and goes on", async () => {
  const { vault } = device;
  const item = (await device.client.items())[0]!;
  const session = await device.client.startSession({ vault, item: item.id, highestSequence: 1 });
  const chunk = dataRecord(device);
  await device.client.records(session.session, [chunk.record]);
  await fixture.stop();
  await fixture.start();
  device = { ...device, client: fixture.client(device.token) };
  expect(bitAt(await device.client.have(session.session, [chunk.id]), 0)).toBe(true);
  const root = pageRecord(device, [chunk.id], "second");
  await device.client.records(session.session, [root.record]);
  const snapshot = snapshotOf(device, item, 2, item.head, root.id);
  await device.client.commit(session.session, snapshot.bytes);
  const { client } = device;
  expect((await client.snapshots()).map((row) => row.sequence)).toEqual([2, 1]);
  await client.putItem("empty");
  expect(await client.snapshots({ newest: 10 })).toMatchObject([{ item: "files", sequence: 2 }]);
  expect(await client.snapshots({ newest: 1, item: "other" })).toEqual([]);
  await expect(client.snapshots({ newest: 1001 })).rejects.toMatchObject({ code: "usage" });
});
