// Who wrote a record that turned out wrong or cannot be read: said to the device that reports it, and in the log.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openPackPath } from "../../gateway/store/packPaths.ts";
import { toHex } from "../../vault/bytes.ts";
import { dataRecord, GatewayFixture, type TestDevice, type TestRecord } from "./gatewayFixture.ts";

let fixture: GatewayFixture;
let writer: TestDevice;
let reader: TestDevice;
let log: Record<string, unknown>[];
let written: TestRecord;

beforeEach(async () => {
  log = [];
  const logger = pino({ level: "warn" }, { write: (line) => void log.push(JSON.parse(line)) });
  fixture = await GatewayFixture.create({ logger });
  const anna = await fixture.account("anna");
  writer = await fixture.device(anna, "laptop");
  reader = await fixture.device(anna, "desktop");
  written = dataRecord(writer);
  const item = await writer.client.putItem("files");
  const { session } = await writer.client.startSession({
    vault: writer.vault,
    item: item.id,
    highestSequence: 0,
  });
  await writer.client.records(session, [written.record]);
});
afterEach(async () => {
  await fixture.remove();
});

const linesOf = (message: string) => log.filter(({ msg }) => msg === message);

test("a report answers who wrote each record, also when it is known to be wrong already", async () => {
  const ids = [dataRecord(writer).id, written.id].map(toHex);
  const report = () => reader.client.suspect(reader.vault, { group: reader.group, ids });
  expect(await report()).toEqual({ quarantined: 1, writers: [null, { device: "laptop" }] });
  await fixture.administration.revokeDevice("anna", "laptop");
  expect(await report()).toEqual({ quarantined: 0, writers: [null, { device: "laptop" }] });
  expect(linesOf("quarantined")).toMatchObject([
    { chunk: toHex(written.id), writer: writer.id, writerName: "laptop", reporter: reader.id },
  ]);
});

test("a record that is damaged on disk is logged with its writer", async () => {
  const { store } = await fixture.gateway.vault(writer.vault);
  const place = store.lookup(writer.group, written.id)!;
  const path = openPackPath(join(fixture.path, "vaults", writer.vault), place.pack);
  const bytes = readFileSync(path);
  bytes[place.offset + place.length - 1]! ^= 1;
  writeFileSync(path, bytes);
  const states: string[] = [];
  const ids = [dataRecord(writer).id, written.id];
  for await (const { state } of reader.client.read(reader.vault, reader.group, ids)) states.push(state);
  expect(states).toEqual(["missing", "damaged"]);
  expect(linesOf("record cannot be read")).toMatchObject([
    { code: "chunk-damaged", chunk: toHex(written.id), writer: writer.id, writerName: "laptop" },
  ]);
});
