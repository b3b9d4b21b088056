// Record channels of a real gateway: what they bring, whom they serve, and how they end.

import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:tls";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { ChannelRecordSource } from "../../agent/session/channelRecordSource.ts";
import { GatewayRecordSource } from "../../agent/session/recordSource.ts";
import type { RecordResult } from "../../fs/view/ports.ts";
import { readTogether } from "../../fs/view/readTogether.ts";
import { openPackPath } from "../../gateway/store/packPaths.ts";
import { NoChannel, RecordChannel } from "../../ingest/client/recordChannel.ts";
import { channelLimits, channelProtocol, encodeAnswerHead } from "../../ingest/wire/recordChannel.ts";
import { isHoldfastError } from "../../vault/errors.ts";
import { dataRecord, GatewayFixture, type TestDevice, type TestRecord } from "./gatewayFixture.ts";
import { exchange } from "./rawHttps.ts";

let fixture: GatewayFixture;
let anna: TestDevice;
let bert: TestDevice;
let records: TestRecord[];
const channels: RecordChannel[] = [];
const sources: ChannelRecordSource[] = [];

beforeAll(async () => {
  fixture = await GatewayFixture.create();
  anna = await fixture.device(await fixture.account("anna"), "laptop");
  bert = await fixture.device(await fixture.account("bert"), "laptop");
  const item = await anna.client.putItem("files");
  const start = { vault: anna.vault, item: item.id, highestSequence: 0 };
  const { session } = await anna.client.startSession(start);
  records = Array.from({ length: 200 }, () => dataRecord(anna));
  await anna.client.records(
    session,
    records.map(({ record }) => record),
  );
});
afterEach(() => {
  for (const channel of channels.splice(0)) channel.close();
  for (const source of sources.splice(0)) source.close();
});
afterAll(async () => {
  await fixture.remove();
});

function addressOf(device: TestDevice, vault: string, fingerprint = fixture.fingerprint) {
  return { url: new URL(fixture.listening.url), fingerprint, token: device.token, vault };
}

async function open(device = anna, vault = device.vault): Promise<RecordChannel> {
  const channel = await RecordChannel.open(addressOf(device, vault), (bytes) => Buffer.alloc(bytes));
  channels.push(channel);
  return channel;
}

async function read(
  channel: RecordChannel,
  ids: readonly Buffer[],
  group = anna.group,
): Promise<RecordResult[]> {
  const results: RecordResult[] = [];
  await channel.read(group, ids, (index, result) => {
    results[index] = result;
  });
  return results;
}

function sourceOf(device = anna): ChannelRecordSource {
  const source = new ChannelRecordSource({
    ...addressOf(device, device.vault),
    plain: new GatewayRecordSource(device.client),
  });
  sources.push(source);
  return source;
}

const idsOf = (some: readonly TestRecord[]): Buffer[] => some.map(({ id }) => id);
const found = (some: readonly TestRecord[]): RecordResult[] =>
  some.map(({ record }) => ({ state: "record", record }) as const);

test("many requests at once are answered, each with its own records; what is not here is said to be missing", async () => {
  const channel = await open();
  const nowhere = randomBytes(32);
  const reads = Array.from({ length: 80 }, (_, number) => {
    const some = [records[number]!, records[199 - number]!, records[number + 60]!];
    return { some, answer: read(channel, [...idsOf(some), nowhere]) };
  });
  for (const { some, answer } of reads) {
    expect(await answer).toEqual([...found(some), { state: "missing" }]);
  }
  const all = [...records].reverse();
  expect(await read(channel, idsOf(all))).toEqual(found(all));
});

test("another account's vault is none, and in one's own vault its chunks are not here", async () => {
  await expect(open(bert, anna.vault)).rejects.toThrow(NoChannel);
  await expect(open({ ...anna, token: "hfd_wrong" })).rejects.toThrow(NoChannel);
  const own = await open(bert);
  expect(await read(own, [records[0]!.id])).toEqual([{ state: "missing" }]);
});

test("nothing is sent to who has another key than the pinned one", async () => {
  const other = `SHA256:${"ab".repeat(32)}`;
  const opening = RecordChannel.open(addressOf(anna, anna.vault, other), (bytes) => Buffer.alloc(bytes));
  await expect(opening).rejects.toMatchObject({ code: "fingerprint-mismatch" });
});

test("a revoked device's channel brings no more, and its reads then say why", async () => {
  const doomed = await fixture.device(anna.account, "doomed");
  const channel = await open(doomed);
  const source = sourceOf(doomed);
  expect(await read(channel, [records[0]!.id], doomed.group)).toEqual(found([records[0]!]));
  fixture.gateway.catalog.devices.revoke(doomed.id);
  await expect(read(channel, [records[1]!.id], doomed.group)).rejects.toThrow("closed");
  expect(channel.isOpen).toBe(false);
  await expect(readTogether(source, doomed.vault, doomed.group, [records[1]!.id])).rejects.toMatchObject({
    code: "token-invalid",
  });
});

test("a disabled account's channel brings no more", async () => {
  const carl = await fixture.device(await fixture.account("carl"), "laptop");
  const channel = await open(carl);
  expect(await read(channel, [records[0]!.id])).toEqual([{ state: "missing" }]);
  await fixture.administration.setDisabled("carl", true);
  await expect(read(channel, [records[0]!.id])).rejects.toThrow("closed");
});

test("bytes that are no request end the channel, and the gateway serves on", async () => {
  const upgrade = (vault: string, token: string, name = channelProtocol): string =>
    `GET /v1/vaults/${vault}/records HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ${name}\r\nAuthorization: Bearer ${token}\r\n\r\n`;
  const head = upgrade(anna.vault, anna.token);
  const { port } = fixture.listening;
  // What follows at once goes with the request; so many ids may not be asked for.
  const answer = await exchange(port, Buffer.concat([Buffer.from(head), encodeAnswerHead(1, 1, 5000)]), 5000);
  expect(answer).toMatch(/^HTTP\/1\.1 101 /);
  expect(answer.split("\r\n\r\n")[1]).toBe("");
  for (let round = 0; round < 20; round++) {
    await exchange(port, Buffer.concat([Buffer.from(head), randomBytes(100)]), 30);
  }
  // Refusals are answers as everywhere; other upgrades are none of ours.
  expect(await exchange(port, upgrade(anna.vault, "hfd_wrong"))).toMatch(
    /^HTTP\/1\.1 401 [\s\S]*token-invalid/,
  );
  expect(await exchange(port, upgrade(bert.vault, anna.token))).toMatch(/^HTTP\/1\.1 404 [\s\S]*not-found/);
  expect(await exchange(port, upgrade(anna.vault, anna.token, "websocket"))).toMatch(/^HTTP\/1\.1 400 /);
  expect(await exchange(port, upgrade(anna.vault, anna.token).replace(/Upgrade: .*\r\n/, ""))).toMatch(
    /^HTTP\/1\.1 400 [\s\S]*usage/,
  );
  expect(await read(await open(), [records[3]!.id])).toEqual(found([records[3]!]));
});

test("one device has so many channels and no more; closed ones make room", async () => {
  const ella = await fixture.device(anna.account, "ella");
  const open16 = await Promise.all(Array.from({ length: channelLimits.perPrincipal }, () => open(ella)));
  await expect(open(ella)).rejects.toThrow(NoChannel);
  await open(anna);
  open16[0]!.close();
  await expect
    .poll(() =>
      open(ella).then(
        () => "open",
        () => "refused",
      ),
    )
    .toBe("open");
});

test("an asker that takes nothing is read for no further, and leaves nothing behind", async () => {
  const { port } = fixture.listening;
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  await new Promise<void>((resolve) => socket.once("secureConnect", resolve));
  socket.on("error", () => undefined);
  socket.write(
    `GET /v1/vaults/${anna.vault}/records HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ${channelProtocol}\r\nAuthorization: Bearer ${anna.token}\r\n\r\n`,
  );
  const request = Buffer.concat([encodeAnswerHead(1, anna.group, 200), ...idsOf(records)]);
  socket.pause();
  // 25 MB, far more than all buffers on the way hold.
  for (let count = 0; count < 4000; count++) socket.write(request);
  for (let round = 0; round < 5; round++) {
    expect(await read(await open(), [records[5]!.id])).toEqual(found([records[5]!]));
  }
  expect(socket.writableLength).toBeGreaterThan(0);
  socket.destroy();
  expect(await read(await open(), idsOf(records))).toEqual(found(records));
});

test("a source reads over channels when there are any, and without where there are none", async () => {
  const source = sourceOf();
  const some = records.slice(10, 20);
  // The first read does not wait for a channel.
  for (let round = 0; round < 20; round++) {
    expect(await readTogether(source, anna.vault, anna.group, idsOf(some))).toEqual(found(some));
  }
  const closed = sourceOf();
  closed.close();
  expect(await readTogether(closed, anna.vault, anna.group, idsOf(some))).toEqual(found(some));
});

test("a record that is damaged on the gateway's disk is found out when it does not open, and asked for once more", async () => {
  const store = (await fixture.gateway.vault(anna.vault)).store;
  const victim = records[150]!;
  const { pack, offset } = store.lookup(anna.group, victim.id)!;
  const path = openPackPath(fixture.gateway.vaultDirectory(anna.vault), pack);
  const bytes = readFileSync(path);
  bytes[offset + 80]! ^= 1;
  writeFileSync(path, bytes);
  const source = sourceOf();
  const one = (): Promise<readonly RecordResult[]> =>
    readTogether(source, anna.vault, anna.group, [victim.id]);
  // Over a channel it comes as it lies there.
  await expect.poll(async () => (await one())[0]?.state).toBe("record");
  expect(source.discard(anna.vault, anna.group, victim.id)).toBe(true);
  expect(await one()).toEqual([{ state: "damaged" }]);
});

test("a gateway that stops ends its channels, and reads under way fail as lost", async () => {
  const channel = await open();
  await fixture.listening.app.close();
  await expect.poll(() => channel.isOpen).toBe(false);
  const failure = await read(channel, [records[0]!.id]).catch((error: unknown) => error);
  expect(isHoldfastError(failure)).toBe(false);
  await fixture.stop();
  await fixture.start();
});
