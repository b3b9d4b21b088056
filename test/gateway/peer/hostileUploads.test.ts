// Objects that arrive at a peer wrong, too large, too slowly, too many or in the wrong order.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterEach, beforeEach, expect, test } from "vitest";
import { packKey } from "../../../gateway/replica/keys.ts";
import { objectHashHeader, peerLimits } from "../../../ingest/wire/peer.ts";
import { seededBytes } from "../../vault/seeded.ts";
import { GatewayFixture } from "../gatewayFixture.ts";
import { addPeer, type TestPeer } from "./peerFixture.ts";
import { ask, putObject, sha256Of } from "./rawPeer.ts";
import { vault } from "./sampleChain.ts";

let fixture: GatewayFixture;
let peer: TestPeer;
let nowMs: number;
const hour = 3_600_000;

beforeEach(async () => {
  nowMs = Date.UTC(2026, 10, 25);
  fixture = await GatewayFixture.create({ now: () => new Date(nowMs) });
  peer = await addPeer(fixture, "box");
});
afterEach(() => fixture.remove());

const keyFor = (bytes: Uint8Array) => packKey(vault, Buffer.from(sha256Of(bytes), "hex"));
const incoming = () => readdirSync(join(fixture.gateway.peers.folderPath(peer.id), ".incoming"));

test("bytes that are not those of the declared hash, of the key, or of the declared length are refused, and nothing stays", async () => {
  const bytes = seededBytes("pack", 50_000);
  const other = seededBytes("other", 50_000);
  const key = keyFor(bytes);
  expect(await putObject(peer, key, other, { [objectHashHeader]: sha256Of(bytes) })).toMatchObject({
    status: 400,
    code: "corrupt",
  });
  expect(await putObject(peer, key, other)).toMatchObject({ status: 400, code: "corrupt" });
  expect(await putObject(peer, key, bytes, { [objectHashHeader]: "A".repeat(64) })).toMatchObject({
    status: 400,
    code: "usage",
  });
  expect(await putObject(peer, key, bytes, { "if-none-match": "" })).toMatchObject({
    status: 400,
    code: "usage",
  });
  const chunked = {
    method: "PUT",
    path: `/v1/peer/objects/${key}`,
    headers: {
      "if-none-match": "*",
      [objectHashHeader]: sha256Of(bytes),
      "transfer-encoding": "chunked",
      "content-type": "application/octet-stream",
    },
  };
  expect(await ask(peer, chunked)).toMatchObject({ status: 400, code: "usage" });
  expect((await ask(peer, { method: "HEAD", path: `/v1/peer/objects/${key}` })).status).toBe(404);
  expect(incoming()).toEqual([]);
  expect(await putObject(peer, key, bytes)).toMatchObject({ status: 201, json: { proof: "hashed" } });
});

test("a body that breaks off leaves nothing; one that drips keeps nobody else waiting", async () => {
  const bytes = seededBytes("slow", 100_000);
  expect((await ask(peer, { method: "GET", path: "/v1/peer/usage" })).status).toBe(200);
  const { hostname, port } = new URL(peer.token.url);
  const slow = connect({ host: hostname, port: Number(port), rejectUnauthorized: false }, () => {
    slow.write(
      `PUT /v1/peer/objects/${keyFor(bytes)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${peer.token.token}\r\nIf-None-Match: *\r\n` +
        `${objectHashHeader}: ${sha256Of(bytes)}\r\nContent-Type: application/octet-stream\r\nContent-Length: ${bytes.length}\r\n\r\n`,
    );
    slow.write(bytes.subarray(0, 70_000));
  });
  await expect.poll(() => incoming().length).toBe(1);
  const fast = seededBytes("fast", 1000);
  expect(await putObject(peer, keyFor(fast), fast)).toMatchObject({ status: 201 });
  slow.destroy();
  await expect.poll(() => incoming().length).toBe(0);
  expect((await ask(peer, { method: "HEAD", path: `/v1/peer/objects/${keyFor(bytes)}` })).status).toBe(404);
});

test("declared sizes are held against limits and quota before anything is taken", async () => {
  const small = await addPeer(fixture, "small", { quotaBytes: 100_000 });
  const bytes = seededBytes("a", 60_000);
  const declared = (size: number) => ({
    method: "POST",
    path: "/v1/peer/uploads",
    json: { key: keyFor(bytes), bytes: size, sha256: sha256Of(bytes) },
  });
  expect(await ask(small, declared(Number.MAX_SAFE_INTEGER))).toMatchObject({
    status: 413,
    code: "limit-exceeded",
  });
  expect(await ask(small, declared(-1))).toMatchObject({ status: 400 });
  expect(await ask(small, declared(2 ** 60))).toMatchObject({ status: 400 });
  expect(await ask(small, declared(200_000))).toMatchObject({ status: 507, code: "replica-full" });
  const huge = {
    ...{ "if-none-match": "*", [objectHashHeader]: sha256Of(bytes) },
    "content-length": String(2 ** 40),
  };
  expect(
    await ask(small, {
      method: "PUT",
      path: `/v1/peer/objects/${keyFor(bytes)}`,
      headers: { ...huge, "content-type": "application/octet-stream" },
    }),
  ).toMatchObject({ status: 413, code: "limit-exceeded" });
  // What is on its way counts as what is there.
  expect(await ask(small, declared(70_000))).toMatchObject({ status: 201 });
  const more = seededBytes("b", 40_000);
  expect(await putObject(small, keyFor(more), more)).toMatchObject({ status: 507, code: "replica-full" });
  const little = seededBytes("c", 30_000);
  expect(await putObject(small, keyFor(little), little)).toMatchObject({ status: 201 });
  expect((await ask(small, { method: "GET", path: "/v1/peer/usage" })).json).toMatchObject({
    quotaBytes: 100_000,
    usedBytes: 30_000,
    objects: 1,
    uploadBytes: 70_000,
  });
  // Of many at a time no more get in than fit.
  const even = await addPeer(fixture, "even", { quotaBytes: 50_000 });
  const many = Array.from({ length: 10 }, (_, i) => seededBytes(`many ${i}`, 20_000));
  const statuses = await Promise.all(
    many.map(async (each) => (await putObject(even, keyFor(each), each)).status),
  );
  expect(statuses.filter((status) => status === 201).length).toBeLessThanOrEqual(2);
  expect(fixture.gateway.catalog.peers.totals(even.id).bytes).toBeLessThanOrEqual(50_000);
});

test("uploads are bounded in number, and forgotten after a day", async () => {
  const start = async (label: string) => {
    const bytes = seededBytes(label, 1000);
    const answer = await ask(peer, {
      method: "POST",
      path: "/v1/peer/uploads",
      json: { key: keyFor(bytes), bytes: 1000, sha256: sha256Of(bytes) },
    });
    return answer.json.upload ?? "";
  };
  const state = async (upload: string) =>
    (await ask(peer, { method: "GET", path: `/v1/peer/uploads/${upload}` })).status;
  const first = await start("upload 0");
  nowMs += 1000;
  for (let i = 1; i < peerLimits.uploadsPerPeer; i++) await start(`upload ${i}`);
  expect(await start("upload 5")).toBe(await start("upload 5"));
  expect(await state(first)).toBe(200);
  const last = await start("one more");
  expect([await state(first), await state(last)]).toEqual([404, 200]);
  expect(fixture.gateway.catalog.peers.uploads(peer.id).size).toBe(peerLimits.uploadsPerPeer);
  nowMs += 25 * hour;
  const fresh = await start("the day after");
  expect([...fixture.gateway.catalog.peers.uploads(peer.id).keys()]).toEqual([fresh]);
});

test("parts come in order, one behind the other, and not beyond the end", async () => {
  const bytes = seededBytes("in parts", 30_000);
  const begun = await ask(peer, {
    method: "POST",
    path: "/v1/peer/uploads",
    json: { key: keyFor(bytes), bytes: bytes.length, sha256: sha256Of(bytes) },
  });
  const part = (offset: number, piece: Uint8Array) =>
    ask(peer, { method: "PUT", path: `/v1/peer/uploads/${begun.json.upload}?offset=${offset}`, body: piece });
  expect(await part(10_000, bytes.subarray(10_000))).toMatchObject({
    status: 409,
    code: "sequence-conflict",
    json: { error: { detail: { offset: 0 } } },
  });
  expect((await part(0, bytes.subarray(0, 10_000))).json).toMatchObject({ offset: 10_000, done: false });
  expect(await part(0, bytes.subarray(0, 10_000))).toMatchObject({ status: 409 });
  expect(await part(10_000, Buffer.alloc(30_000))).toMatchObject({ status: 413, code: "limit-exceeded" });
  for (const offset of ["-1", "x", "10000.5", ""]) {
    expect(
      (
        await ask(peer, {
          method: "PUT",
          path: `/v1/peer/uploads/${begun.json.upload}?offset=${offset}`,
          body: bytes,
        })
      ).status,
      offset,
    ).toBe(400);
  }
  // The last part is wrong: the whole is refused, and the upload is gone.
  expect(await part(10_000, Buffer.alloc(20_000))).toMatchObject({ status: 400, code: "corrupt" });
  expect(await part(10_000, bytes.subarray(10_000))).toMatchObject({ status: 404 });
  expect(incoming()).toEqual([]);
});
