// Uploads that lie, break off or come in the wrong order.

import { randomBytes } from "node:crypto";
import { connect, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, expect, test } from "vitest";
import { send } from "../../ingest/client/exchange.ts";
import { PinnedAgent } from "../../ingest/client/pinnedAgent.ts";
import { bitAt } from "../../ingest/wire/bitmap.ts";
import { encodeRecordBody } from "../../ingest/wire/recordBody.ts";
import { RecordStatus } from "../../ingest/wire/recordStatus.ts";
import { toHex } from "../../vault/bytes.ts";
import { dataRecord, GatewayFixture, pageRecord, snapshotOf, type TestDevice } from "./gatewayFixture.ts";

let fixture: GatewayFixture;
let device: TestDevice;
let item: { id: string };
let session: string;

beforeAll(async () => {
  fixture = await GatewayFixture.create();
  device = await fixture.device(await fixture.account("anna"), "laptop");
  item = await device.client.putItem("files");
});
afterAll(async () => {
  await fixture.remove();
});

async function start(): Promise<string> {
  session = (await device.client.startSession({ vault: device.vault, item: item.id, highestSequence: 0 }))
    .session;
  return session;
}

/** Sends raw body bytes to `records` and returns status and error code. */
async function sendRaw(
  body: Uint8Array,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string }> {
  const agent = new PinnedAgent({ fingerprint: fixture.fingerprint, socketsMax: 1, connectTimeoutMs: 5000 });
  try {
    const response = await send(
      { agent, url: new URL(fixture.listening.url), token: device.token },
      { method: "POST", path: `/v1/sessions/${session}/records`, binary: [body], headers },
    );
    const pieces: Buffer[] = [];
    for await (const piece of response) pieces.push(piece as Buffer);
    return { status: response.statusCode ?? 0, text: Buffer.concat(pieces).toString("latin1") };
  } finally {
    agent.destroy();
  }
}

test("a parent before its child waits; children first are stored in one body", async () => {
  await start();
  const child = dataRecord(device);
  const parent = pageRecord(device, [child.id]);
  const early = await device.client.records(session, [parent.record, child.record]);
  expect([...early.statuses]).toEqual([RecordStatus.waits, RecordStatus.stored]);
  expect(early.missing.map(toHex)).toEqual([toHex(child.id)]);
  expect([...(await device.client.records(session, [parent.record])).statuses]).toEqual([
    RecordStatus.stored,
  ]);
  const other = dataRecord(device);
  const page = pageRecord(device, [other.id], "x");
  const both = await device.client.records(session, [other.record, page.record, page.record]);
  expect([...both.statuses]).toEqual([RecordStatus.stored, RecordStatus.stored, RecordStatus.present]);
});

test("a page that refers to nothing that is here never counts as here", async () => {
  await start();
  const ghost = randomBytes(32);
  const page = pageRecord(device, [ghost]);
  const answer = await device.client.records(session, [page.record]);
  expect([...answer.statuses]).toEqual([RecordStatus.waits]);
  expect(answer.missing.map(toHex)).toEqual([toHex(ghost)]);
  expect(bitAt(await device.client.have(session, [page.id]), 0)).toBe(false);
  await expect(
    device.client.commit(session, snapshotOf(device, item, 1, null, page.id).bytes),
  ).rejects.toMatchObject({ code: "missing-chunks" });
});

test("malformed records end the request with their code; those before them stay stored", async () => {
  await start();
  const cases: [string, (record: Buffer) => unknown][] = [
    ["corrupt", (record) => record.fill(0, 0, 4)],
    ["unsupported", (record) => record.writeUInt8(2, 4)],
    ["corrupt", (record) => record.writeUInt32LE(record.readUInt32LE(12) + 1, 12)],
    ["corrupt", (record) => record.writeUInt32LE(record.readUInt32LE(12) - 1, 12)],
    ["corrupt", (record) => record.writeUInt32LE(7, 8)],
    ["limit-exceeded", (record) => record.writeUInt32LE(0x7fff_ffff, 12)],
    ["limit-exceeded", (record) => record.writeUInt32LE(0xffff_ffff, 16)],
  ];
  for (const [code, spoil] of cases) {
    const good = dataRecord(device);
    const bad = Buffer.from(dataRecord(device).record);
    spoil(bad);
    const after = dataRecord(device);
    const body = Buffer.concat(encodeRecordBody([good.record, bad, after.record]));
    const answer = await sendRaw(body);
    expect(JSON.parse(answer.text)).toMatchObject({ error: { code } });
    const bits = await device.client.have(session, [good.id, after.id]);
    expect([bitAt(bits, 0), bitAt(bits, 1)]).toEqual([true, false]);
  }
});

test("a declared 2 GiB frame, a body over the limit and a truncated body are refused", async () => {
  await start();
  const good = dataRecord(device);
  const lie = Buffer.alloc(100);
  lie.writeUInt32LE(2 ** 31, 0);
  const declared = await sendRaw(Buffer.concat([...encodeRecordBody([good.record]), lie]));
  expect(declared.status).toBe(413);
  expect(JSON.parse(declared.text)).toMatchObject({ error: { code: "limit-exceeded" } });
  expect(bitAt(await device.client.have(session, [good.id]), 0)).toBe(true);
  const cut = await sendRaw(Buffer.concat(encodeRecordBody([dataRecord(device).record])).subarray(0, 300));
  expect(JSON.parse(cut.text)).toMatchObject({ error: { code: "truncated" } });
  await expect(
    device.client.have(
      session,
      Array.from({ length: 16_385 }, () => good.id),
    ),
  ).rejects.toMatchObject({ code: "limit-exceeded" });
});

/** Opens a connection and writes raw HTTP. */
async function raw(text: string, body: Buffer): Promise<TLSSocket> {
  const { port } = fixture.listening;
  const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
  await new Promise((resolve) => socket.once("secureConnect", resolve));
  socket.write(text);
  socket.write(body);
  return socket;
}

test("a connection that breaks acknowledges nothing, holds no memory, and the agent goes on", async () => {
  await start();
  const records = [dataRecord(device), dataRecord(device)];
  const body = Buffer.concat(encodeRecordBody(records.map((each) => each.record)));
  const socket = await raw(
    `POST /v1/sessions/${session}/records HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${device.token}\r\n` +
      `Content-Type: application/octet-stream\r\nContent-Length: ${body.length}\r\n\r\n`,
    body.subarray(0, body.length - 5),
  );
  await new Promise((resolve) => setTimeout(resolve, 50));
  socket.destroy();
  await expect.poll(async () => bitAt(await device.client.have(session, [records[0]!.id]), 0)).toBe(true);
  expect(bitAt(await device.client.have(session, [records[1]!.id]), 0)).toBe(false);
  const answer = await device.client.records(
    session,
    records.map((each) => each.record),
  );
  expect([...answer.statuses]).toEqual([RecordStatus.present, RecordStatus.stored]);
});

test("a Content-Length over the limit is refused at once", async () => {
  await start();
  const socket = await raw(
    `POST /v1/sessions/${session}/records HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${device.token}\r\n` +
      `Content-Type: application/octet-stream\r\nContent-Length: ${2 ** 31}\r\n\r\n`,
    Buffer.alloc(10),
  );
  const head = await new Promise<Buffer>((resolve) => socket.once("data", resolve));
  expect(head.toString()).toMatch(/^HTTP\/1\.1 413/);
  socket.destroy();
});

test("one lease per item: the second session takes over, the first has ended", async () => {
  const first = await start();
  const chunk = dataRecord(device);
  await device.client.records(first, [chunk.record]);
  const second = await device.client.startSession({ vault: device.vault, item: item.id, highestSequence: 0 });
  expect(second.resumed).toBe(true);
  await expect(device.client.have(first, [chunk.id])).rejects.toMatchObject({ code: "session-ended" });
  await expect(device.client.records(first, [chunk.record])).rejects.toMatchObject({ code: "session-ended" });
  await expect(device.client.commit(first, randomBytes(300))).rejects.toMatchObject({
    code: "session-ended",
  });
  expect(bitAt(await device.client.have(second.session, [chunk.id]), 0)).toBe(true);
  await device.client.endSession(second.session);
  await expect(device.client.have(second.session, [chunk.id])).rejects.toMatchObject({
    code: "session-ended",
  });
});

test("commit: wrong place, sequence or predecessor are refused; a gateway that is behind says so", async () => {
  const own = await device.client.putItem("commits");
  const running = await device.client.startSession({ vault: device.vault, item: own.id, highestSequence: 0 });
  const root = pageRecord(device, [], "root");
  await device.client.records(running.session, [root.record]);
  const commit = (bytes: Buffer) => device.client.commit(running.session, bytes);
  await expect(commit(snapshotOf(device, own, 2, null, root.id).bytes)).rejects.toMatchObject({
    code: "sequence-conflict",
  });
  await expect(
    commit(snapshotOf(device, own, 1, toHex(randomBytes(32)), root.id).bytes),
  ).rejects.toMatchObject({ code: "sequence-conflict" });
  await expect(commit(snapshotOf(device, item, 1, null, root.id).bytes)).rejects.toMatchObject({
    code: "protocol",
  });
  await expect(
    commit(snapshotOf({ ...device, group: 9 }, own, 1, null, root.id).bytes),
  ).rejects.toMatchObject({ code: "protocol" });
  await expect(commit(randomBytes(500))).rejects.toMatchObject({ code: "corrupt" });
  await commit(snapshotOf(device, own, 1, null, root.id).bytes);
  await expect(
    device.client.startSession({ vault: device.vault, item: own.id, highestSequence: 2 }),
  ).rejects.toMatchObject({ code: "rollback-detected" });
});

test("requests that do not fit their schema are refused as usage", async () => {
  await expect(
    device.client.startSession({ vault: "x", item: "y", highestSequence: 0 }),
  ).rejects.toMatchObject({
    code: "usage",
  });
  await expect(device.client.putItem("../etc")).rejects.toMatchObject({ code: "usage" });
  await expect(device.client.snapshotObject("zz")).rejects.toMatchObject({ code: "usage" });
});

test("two sessions that upload the same records at the same time both get honest answers", async () => {
  const other = await fixture.device(device.account, "second");
  const own = await other.client.putItem("files");
  const theirs = await other.client.startSession({ vault: other.vault, item: own.id, highestSequence: 0 });
  await start();
  const records = Array.from({ length: 60 }, () => dataRecord(device, randomBytes(20_000)));
  const bodies = records.map((each) => each.record);
  const [a, b] = await Promise.all([
    device.client.records(session, bodies),
    other.client.records(theirs.session, bodies),
  ]);
  records.forEach((_, i) => {
    expect([a.statuses[i], b.statuses[i]].sort()).toEqual([RecordStatus.stored, RecordStatus.present]);
  });
});
