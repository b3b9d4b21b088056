// Whole packs and parts of them over HTTP, asked for without our own client: every byte range of RFC 9110 that a copying program
// or a reference reader may ask for, and the refusals.

import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { randomFrom } from "../fidelity/random.ts";
import { addReplicaFolder, copyPacks, type ReplicaFolder, replicaPack } from "./cache/replicaFolder.ts";
import { dataRecord, GatewayFixture, type TestDevice } from "./gatewayFixture.ts";

let fixture: GatewayFixture;
let device: TestDevice;
let name: string;
let pack: Buffer;

beforeAll(async () => {
  fixture = await GatewayFixture.create({ packBytesTarget: 300_000 });
  device = await fixture.device(await fixture.account("anna"), "laptop");
  const { client, vault } = device;
  const item = await client.putItem("files");
  const { session } = await client.startSession({ vault, item: item.id, highestSequence: 0 });
  const records = Array.from({ length: 100 }, () => dataRecord(device, randomBytes(8000)).record);
  await client.records(session, records);
  // A pack that is full is closed in the background.
  await vi.waitUntil(() => closedPacks().length > 0, { timeout: 30_000 });
  const path = closedPacks()[0] as string;
  name = basename(path);
  pack = readFileSync(path);
});
afterAll(() => fixture.remove());

function closedPacks(): string[] {
  const root = join(fixture.gateway.vaultDirectory(device.vault), "packs");
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((path) => /\/[0-9a-f]{64}$/.test(path))
    .map((path) => join(root, path));
}

type Got = { status: number; range: string | undefined; length: string | undefined; body: Buffer };

function fetchPack(range: string | undefined, token = device.token, of = name): Promise<Got> {
  const url = `${fixture.listening.url}/v1/vaults/${device.vault}/packs/${of}`;
  const headers = { authorization: `Bearer ${token}`, ...(range === undefined ? {} : { range }) };
  return new Promise((resolve, reject) => {
    get(url, { rejectUnauthorized: false, agent: false, headers }, (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("end", () => {
        const { "content-range": given, "content-length": length } = response.headers;
        resolve({ status: response.statusCode ?? 0, range: given, length, body: Buffer.concat(pieces) });
      });
    }).on("error", reject);
  });
}

test("without a range, and with one that does not count: the whole", async () => {
  for (const range of [undefined, "bytes=9-5", "bytes=0-1,5-6", "lines=0-1"]) {
    const { status, body, length } = await fetchPack(range);
    expect([status, Number(length)], range).toEqual([200, pack.length]);
    expect(body.equals(pack), range).toBe(true);
  }
});

test("parts: from the beginning, from within, the last bytes, beyond the end", async () => {
  const size = pack.length;
  for (const [range, first, last] of [
    ["bytes=0-0", 0, 0],
    ["bytes=1000-4999", 1000, 4999],
    [`bytes=${size - 10}-`, size - 10, size - 1],
    [`bytes=${size - 10}-${size + 10}`, size - 10, size - 1],
    ["bytes=-64", size - 64, size - 1],
    [`bytes=-${size + 1}`, 0, size - 1],
  ] as const) {
    const got = await fetchPack(range);
    expect([got.status, got.range, Number(got.length)], range).toEqual([
      206,
      `bytes ${first}-${last}/${size}`,
      last - first + 1,
    ]);
    expect(got.body.equals(pack.subarray(first, last + 1)), range).toBe(true);
  }
});

test("416 with the size where no byte is meant", async () => {
  for (const range of [`bytes=${pack.length}-`, `bytes=${pack.length}-${pack.length + 5}`, "bytes=-0"]) {
    expect(await fetchPack(range), range).toMatchObject({ status: 416, range: `bytes */${pack.length}` });
  }
});

describe("of a pack that is in a replica alone", () => {
  let scratch: string;
  let replica: ReplicaFolder;
  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), "holdfast-ranges-"));
    replica = await addReplicaFolder(fixture.gateway.catalog, join(scratch, "replica"), "disk");
    const { store } = await fixture.gateway.vault(device.vault);
    const vault = await fixture.gateway.vault(device.vault);
    await copyPacks(vault, fixture.gateway.vaultDirectory(device.vault), replica);
    const ordinal = store.packs.ordinalOf(Buffer.from(name, "hex"))!;
    expect(await store.elsewhere!.moves.evict(ordinal)).toEqual({ evicted: true });
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  test("the same bytes, whole and in parts", async () => {
    expect((await fetchPack(undefined)).body.equals(pack)).toBe(true);
    const random = randomFrom(3);
    for (let i = 0; i < 60; i++) {
      const first = random.below(pack.length);
      const last = Math.min(pack.length - 1, first + random.below(i % 2 === 0 ? 200 : 60_000));
      const got = await fetchPack(`bytes=${first}-${last}`);
      expect([got.status, got.range]).toEqual([206, `bytes ${first}-${last}/${pack.length}`]);
      expect(got.body.equals(pack.subarray(first, last + 1)), `${first} to ${last}`).toBe(true);
    }
  });

  test("never other bytes, and 502 while the replica is away", async () => {
    rmSync(join(fixture.path, "cache"), { recursive: true, force: true });
    await fixture.stop();
    await fixture.start();
    const file = replicaPack(replica, device.vault, Buffer.from(name, "hex"));
    renameSync(replica.path, `${replica.path}-away`);
    expect((await fetchPack("bytes=50000-60000")).status).toBe(502);
    expect((await fetchPack("bytes=0-31")).body.equals(pack.subarray(0, 32)), "the header is here").toBe(
      true,
    );
    renameSync(`${replica.path}-away`, replica.path);
    const wrong = Buffer.from(pack);
    wrong[100_000]! ^= 1;
    writeFileSync(file, wrong);
    await expect
      .poll(async () => (await fetchPack("bytes=99990-100010")).status, { interval: 500 })
      .toBe(500);
    writeFileSync(file, pack);
    expect((await fetchPack("bytes=99990-100010")).body.equals(pack.subarray(99_990, 100_011))).toBe(true);
  });
});

test("a range tells strangers nothing: no token, another account's, a pack that is not there", async () => {
  const other = await fixture.device(await fixture.account("otto"), "laptop");
  expect((await fetchPack("bytes=0-0", "none")).status).toBe(401);
  const [foreign, missing] = [
    await fetchPack("bytes=0-0", other.token),
    await fetchPack("bytes=0-0", device.token, "0".repeat(64)),
  ];
  expect([foreign.status, missing.status]).toEqual([404, 404]);
});
