// What a modified agent with a valid token may send as records, and what it is told. docs/security.md has the table.

import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bitAt } from "../../../ingest/wire/bitmap.ts";
import { encodeRecordBody } from "../../../ingest/wire/recordBody.ts";
import { RecordStatus } from "../../../ingest/wire/recordStatus.ts";
import { toHex } from "../../../vault/bytes.ts";
import { limits } from "../../../vault/limits.ts";
import { RecordType } from "../../../vault/magic.ts";
import { sealRecord } from "../../../vault/record.ts";
import {
  dataRecord,
  GatewayFixture,
  pageRecord,
  type TestDevice,
  type TestRecord,
} from "../gatewayFixture.ts";
import { exchange } from "../rawHttps.ts";

let fixture: GatewayFixture;
let device: TestDevice;
let session: string;

beforeAll(async () => {
  fixture = await GatewayFixture.create();
  device = await fixture.device(await fixture.account("anna"), "laptop");
  const item = await device.client.putItem("files");
  const request = { vault: device.vault, item: item.id, highestSequence: 0 };
  session = (await device.client.startSession(request)).session;
});
afterAll(() => fixture.remove());

/** A record with this at a place in its clear header. */
function spoiled(alter: (record: Buffer) => void, { record } = dataRecord(device)): Buffer {
  const copy = Buffer.from(record);
  alter(copy);
  return copy;
}

async function isHere({ id }: TestRecord): Promise<boolean> {
  return bitAt(await device.client.have(session, [id]), 0);
}

/** A page of two references, to records that are here. */
async function pageOfTwo(): Promise<TestRecord> {
  const [one, other] = [dataRecord(device), dataRecord(device)];
  await device.client.records(session, [one.record, other.record]);
  return pageRecord(device, [one.id, other.id]);
}

describe("headers that lie end the request with their code", () => {
  const lies: readonly (readonly [string, string, (record: Buffer) => void])[] = [
    ["another magic", "corrupt", (record) => record.writeUInt32LE(0x46464952, 0)],
    ["version 0", "unsupported", (record) => record.writeUInt8(0, 4)],
    ["a version to come", "unsupported", (record) => record.writeUInt8(255, 4)],
    ["type 0", "corrupt", (record) => record.writeUInt8(0, 5)],
    ["an unknown type", "corrupt", (record) => record.writeUInt8(99, 5)],
    ["an unknown compression", "corrupt", (record) => record.writeUInt8(2, 6)],
    ["a flag", "corrupt", (record) => record.writeUInt8(1, 7)],
    ["key epoch 0", "corrupt", (record) => record.writeUInt32LE(0, 8)],
    ["a key epoch to come", "corrupt", (record) => record.writeUInt32LE(2, 8)],
    ["the last key epoch", "corrupt", (record) => record.writeUInt32LE(0xffff_ffff, 8)],
    ["a byte more than it has", "corrupt", (record) => record.writeUInt32LE(record.readUInt32LE(12) + 1, 12)],
    ["a byte less than it has", "corrupt", (record) => record.writeUInt32LE(record.readUInt32LE(12) - 1, 12)],
    ["nothing sealed", "corrupt", (record) => record.writeUInt32LE(0, 12)],
    ["4 GiB sealed", "limit-exceeded", (record) => record.writeUInt32LE(0xffff_ffff, 12)],
    ["references in data", "corrupt", (record) => record.writeUInt32LE(1, 16)],
    ["2^32 - 1 references", "limit-exceeded", (record) => record.writeUInt32LE(0xffff_ffff, 16)],
    ["reserved bytes", "corrupt", (record) => record.writeUInt32LE(1, 20)],
  ];
  test.each(lies)("%s: %s", async (_what, code, alter) => {
    const after = dataRecord(device);
    await expect(device.client.records(session, [spoiled(alter), after.record])).rejects.toMatchObject({
      code,
    });
    expect(await isHere(after)).toBe(false);
  });

  test("a partial record, which only a later version makes", async () => {
    const partial = spoiled((record) => {
      record.writeUInt8(RecordType.partial, 5);
      record.writeUInt8(1, 7);
    });
    await expect(device.client.records(session, [partial])).rejects.toMatchObject({ code: "corrupt" });
    const whole = Buffer.concat([partial.subarray(0, 72), randomBytes(32), partial.subarray(72)]);
    await expect(device.client.records(session, [whole])).rejects.toMatchObject({ code: "unsupported" });
  });
});

describe("references", () => {
  test("one that stands twice", async () => {
    const { record } = await pageOfTwo();
    const twice = spoiled((copy) => copy.copy(copy, 72, 104, 136), { record, id: randomBytes(32) });
    await expect(device.client.records(session, [twice])).rejects.toMatchObject({ code: "corrupt" });
  });

  test("fewer or more than its length has room for", async () => {
    const page = await pageOfTwo();
    for (const count of [0, 1, 3, limits.refsPerRecordMax]) {
      const lie = spoiled((copy) => copy.writeUInt32LE(count, 16), page);
      await expect(device.client.records(session, [lie])).rejects.toMatchObject({
        code: expect.stringMatching(/^(corrupt|truncated)$/),
      });
    }
  });

  test("another order is another record, under an id that readers refuse", async () => {
    const page = await pageOfTwo();
    const swapped = spoiled((copy) => {
      const first = Buffer.from(copy.subarray(72, 104));
      copy.copy(copy, 72, 104, 136);
      first.copy(copy, 104);
    }, page);
    expect([...(await device.client.records(session, [swapped])).statuses]).toEqual([RecordStatus.stored]);
    // vault/record.test.ts: whoever opens it finds a broken seal.
  });

  test("to itself, and of two to each other: neither counts", async () => {
    const own = randomBytes(32);
    const parts = { keys: device.account.keys, group: device.group, type: RecordType.directory };
    const circle = (id: Buffer, ref: Buffer): TestRecord => ({
      id,
      record: sealRecord({ ...parts, plaintext: randomBytes(50), refs: ref, id }),
    });
    const [left, right] = [randomBytes(32), randomBytes(32)];
    const records = [circle(own, own), circle(left, right), circle(right, left)];
    const answer = await device.client.records(
      session,
      records.map(({ record }) => record),
    );
    expect([...answer.statuses]).toEqual([RecordStatus.waits, RecordStatus.waits, RecordStatus.waits]);
    for (const record of records) expect(await isHere(record)).toBe(false);
  });

  test("to ids that nobody has: the answer names each once, 1,024 at most", async () => {
    const ghosts = Array.from({ length: 2 * limits.refsPerRecordMax }, () => randomBytes(32));
    const pages = [0, 1, 2].map((part) => {
      const from = Math.min(part, 1) * limits.refsPerRecordMax;
      return pageRecord(device, ghosts.slice(from, from + limits.refsPerRecordMax), `page ${part}`);
    });
    const answer = await device.client.records(
      session,
      pages.map(({ record }) => record),
    );
    expect([...answer.statuses]).toEqual([RecordStatus.waits, RecordStatus.waits, RecordStatus.waits]);
    expect(new Set(answer.missing.map(toHex)).size).toBe(answer.missing.length);
    expect(answer.missing.length).toBe(1024);
  });
});

test("a record that is here already is not taken again, whatever it holds now", async () => {
  const honest = dataRecord(device);
  await device.client.records(session, [honest.record]);
  const other = spoiled((copy) => honest.id.copy(copy, 24));
  expect([...(await device.client.records(session, [other])).statuses]).toEqual([RecordStatus.present]);
  const [read] = await device.client.readAll(device.vault, device.group, [honest.id]);
  expect(read).toEqual({ state: "record", record: honest.record });
});

test("what is no HTTP, or has more than 16 KiB of headers, is answered without a body: a HEAD has none", async () => {
  const ended = "Content-Length: 0\r\nConnection: close\r\n\r\n";
  const { port } = fixture.listening;
  for (const [request, status] of [
    [`HEAD /v1/me?${"x".repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, "431 Request Header Fields Too Large"],
    ["HEAD /v1/me HTTP/1.1\r\nBad\0Header: x\r\n\r\n", "400 Bad Request"],
  ] as const) {
    expect(await exchange(port, request)).toBe(`HTTP/1.1 ${status}\r\n${ended}`);
  }
});

describe("bodies", () => {
  const head = (headers: string): string =>
    `POST /v1/sessions/${session}/records HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${device.token}\r\n` +
    `Content-Type: application/octet-stream\r\n${headers}\r\n\r\n`;
  const bodyOf = (record: Buffer): string => Buffer.concat(encodeRecordBody([record])).toString("latin1");
  const chunked = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;

  test("chunks of a made-up length, that never end, or without one: no record of theirs counts", async () => {
    const { port } = fixture.listening;
    const record = dataRecord(device);
    const body = bodyOf(record.record);
    const chunkedHead = head("Transfer-Encoding: chunked");
    for (const text of [
      `${chunkedHead}ffffffffffffffffff\r\n${body}`,
      `${chunkedHead}-1\r\n${body}`,
      `${chunkedHead}zz\r\n${body}`,
      `${head(`Content-Length: ${body.length}\r\nTransfer-Encoding: chunked`)}0\r\n\r\n`,
      `${head("Content-Length: -1")}${body}`,
      `${head("Content-Length: 1e3")}${body}`,
      `${head(`Content-Length: ${body.length}, ${body.length}`)}${body}`,
    ]) {
      expect(await exchange(port, text)).toMatch(/^(HTTP\/1\.1 400 |$)/);
      expect(await isHere(record)).toBe(false);
    }
    // What was whole when the connection broke is stored; what was not, is not.
    const cut = dataRecord(device);
    const text = bodyOf(cut.record);
    await exchange(port, chunkedHead + chunked(body) + chunked(text.slice(0, -1)));
    await expect.poll(() => isHere(record)).toBe(true);
    expect(await isHere(cut)).toBe(false);
  });

  test("a second request hidden in a body is part of the body", async () => {
    const hidden = `DELETE /v1/sessions/${session} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${device.token}\r\n\r\n`;
    const answer = await exchange(fixture.listening.port, head(`Content-Length: ${hidden.length}`) + hidden);
    expect(answer).toMatch(/^HTTP\/1\.1 4/);
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(await isHere(dataRecord(device))).toBe(false);
  });

  test("more than eight at a time of one device are told to wait; the others go on", async () => {
    const { port } = fixture.listening;
    const open = Array.from({ length: 9 }, () => exchange(port, head("Content-Length: 1000"), 2500));
    const second = await fixture.device(device.account, "second");
    const item = await second.client.putItem("files");
    const request = { vault: second.vault, item: item.id, highestSequence: 0 };
    const theirs = (await second.client.startSession(request)).session;
    const { statuses } = await second.client.records(theirs, [dataRecord(second).record]);
    expect([...statuses]).toEqual([RecordStatus.stored]);
    const answers = await Promise.all(open);
    expect(answers.map((answer) => answer.slice(0, 12)).sort()).toEqual([
      ...Array(8).fill(""),
      "HTTP/1.1 503",
    ]);
    const again = (): Promise<boolean> =>
      device.client.records(session, [dataRecord(device).record]).then(
        () => true,
        () => false,
      );
    await expect.poll(again).toBe(true);
  });
});
