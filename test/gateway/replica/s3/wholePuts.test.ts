// Packs in one request: read once while they are sent, whatever the store makes of that.
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { PackSource } from "../../../../gateway/replica/job/packSource.ts";
import type { ReplicaStore } from "../../../../gateway/replica/replicaStore.ts";
import { openS3Store } from "../../../../gateway/replica/s3/s3Store.ts";
import { ErrorCode } from "../../../../vault/errors.ts";

/** A store of one object: what came to it, and how it answers a put. */
const came: { headers: IncomingHttpHeaders; body: Buffer | undefined }[] = [];
let answer: (headers: IncomingHttpHeaders) => { status: number; code?: string; etag?: string };
let server: Server;
let store: ReplicaStore;
const md5 = (bytes: Buffer) => createHash("md5").update(bytes).digest("hex");

beforeEach(async () => {
  came.length = 0;
  answer = () => ({ status: 200 });
  server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on("error", () => undefined);
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("close", () => {
      if (request.method === "PUT" && !request.complete)
        came.push({ headers: request.headers, body: undefined });
    });
    request.on("end", () => {
      if (request.method === "HEAD") return response.writeHead(404).end();
      const body = Buffer.concat(pieces);
      came.push({ headers: request.headers, body });
      const { status, code, etag } = answer(request.headers);
      response.writeHead(status, { etag: `"${etag ?? md5(body)}"` });
      return response.end(code === undefined ? "" : `<Error><Code>${code}</Code></Error>`);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  store = await opened(false);
});

function opened(comparesSha256: boolean): Promise<ReplicaStore> {
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return openS3Store(
    { url: "s3://bucket/box", options: { endpoint }, conditionalPuts: true, comparesSha256 },
    {
      now: () => new Date(),
      environment: { AWS_ACCESS_KEY_ID: "K", AWS_SECRET_ACCESS_KEY: "s" },
      tuning: { triesMax: 3, firstPauseMs: 1, pauseMaxMs: 1 },
    },
  );
}

afterEach(async () => {
  await store.close();
  server.closeAllConnections();
  server.close();
});

/** A pack's source, with the ranges that were read of its file. `alter` changes bytes that are read. */
function packOf(bytes: Buffer, alter = (piece: Buffer) => piece) {
  const reads: number[] = [];
  const name = createHash("sha256").update(bytes).digest();
  const source = new PackSource(name, bytes.length, async (into, position) => {
    reads.push(position);
    return alter(Buffer.from(bytes.subarray(position, position + into.length))).copy(into);
  });
  return { source, reads, name };
}

const MIB = 2 ** 20;
const key = `vaults/${"ab".repeat(16)}/packs/cd/cd${"ef".repeat(31)}`;

it("reads a pack once, signs its name, and proves it by the store's MD5", async () => {
  const bytes = randomBytes(3 * MIB + 17);
  const { source, reads, name } = packOf(bytes);
  expect(await store.putIfAbsent(key, source)).toEqual({ outcome: "created", proof: "checksum" });
  expect(reads).toEqual([0, MIB, 2 * MIB, 3 * MIB]);
  expect(came).toHaveLength(1);
  expect(came[0]!.body!.equals(bytes)).toBe(true);
  expect(came[0]!.headers["x-amz-content-sha256"]).toBe(name.toString("hex"));
  expect(came[0]!.headers["content-md5"]).toBeUndefined();
});

it("sends Content-MD5 to a store that will not do without, and to begin with from then on", async () => {
  answer = (headers) =>
    headers["content-md5"] === undefined ? { status: 400, code: "InvalidRequest" } : { status: 200 };
  for (const requests of [2, 1]) {
    came.length = 0;
    const bytes = randomBytes(MIB + 1);
    expect(await store.putIfAbsent(key, packOf(bytes).source)).toEqual({
      outcome: "created",
      proof: "checksum",
    });
    expect(came).toHaveLength(requests);
    expect(came.at(-1)!.body!.equals(bytes)).toBe(true);
  }
});

it("a pack that is damaged here never comes there whole", async () => {
  const { source } = packOf(randomBytes(2 * MIB + 5), (piece) => {
    piece[0]! ^= 1;
    return piece;
  });
  await expect(store.putIfAbsent(key, source)).rejects.toMatchObject({ code: ErrorCode.chunkDamaged });
  server.closeAllConnections();
  expect(came.filter(({ body }) => body !== undefined)).toEqual([]);
});

it("what the store has another checksum of is not proven, and a try that was lost is made again", async () => {
  let tries = 0;
  answer = () => (++tries === 1 ? { status: 503, code: "SlowDown" } : { status: 200, etag: "0".repeat(32) });
  const bytes = randomBytes(2 * MIB);
  const outcome = store.putIfAbsent(key, packOf(bytes).source);
  // This store never says what it has: where the ETag is another, it is asked for, and there is nothing.
  await expect(outcome).rejects.toMatchObject({ code: ErrorCode.replicaDamaged });
  expect(came.map(({ body }) => body?.equals(bytes))).toEqual([true, true]);
});

it("what a store took that compares SHA-256 is proven by that; a put whose answer was lost is not", async () => {
  await store.close();
  store = await opened(true);
  answer = () => ({ status: 200, etag: "of some key" });
  const bytes = randomBytes(2 * MIB);
  expect(await store.putIfAbsent(key, packOf(bytes).source)).toEqual({
    outcome: "created",
    proof: "checksum",
  });
  expect(came[0]!.headers["x-amz-content-sha256"]).toBe(packOf(bytes).name.toString("hex"));
  // What is there may be of that put or of another one: whoever asks reads it back.
  let tries = 0;
  answer = () =>
    ++tries === 1 ? { status: 503, code: "SlowDown" } : { status: 412, code: "PreconditionFailed" };
  expect(await store.putIfAbsent(key, packOf(bytes).source)).toEqual({ outcome: "exists" });
  const damaged = packOf(bytes, (piece) => Buffer.from(piece.map((byte) => byte ^ 1)));
  await expect(store.putIfAbsent(key, damaged.source)).rejects.toMatchObject({
    code: ErrorCode.chunkDamaged,
  });
});
