// A server that answers nonsense: the store ends every call with a result that can be, or a HoldfastError, and never hangs.
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { ReplicaStore } from "../../../../gateway/replica/replicaStore.ts";
import { probeS3 } from "../../../../gateway/replica/s3/probe.ts";
import { openS3Store } from "../../../../gateway/replica/s3/s3Store.ts";
import { ErrorCode, isHoldfastError } from "../../../../vault/errors.ts";
import { sourceOf } from "../../../conformance/sources.ts";
import { type Random, randomFrom } from "../../../fidelity/random.ts";

const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 2 ** 31));
const bodies = [
  "", "x", "<", "<?xml version='1.0'?>", "<Error><Code>SlowDown</Code></Error>", "<Error><Code>constructor</Code><Message>__proto__</Message></Error>",
  "<Error><Code>NoSuchKey</Code><Message>m</Message></Error>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", '{"a":1}', "<html><body>proxy</body></html>",
  "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken><Contents><Key>vaults/a</Key><Size>-1</Size></Contents></ListBucketResult>",
  "<ListBucketResult><Contents><Key>../../etc/passwd</Key><Size>1e99</Size></Contents><Contents><Key>vaults/b</Key><Size>7</Size></Contents></ListBucketResult>",
  "<InitiateMultipartUploadResult><UploadId></UploadId></InitiateMultipartUploadResult>",
  "<CompleteMultipartUploadResult><ETag>\"x\"</ETag></CompleteMultipartUploadResult>",
  `<a>${"<b>".repeat(500)}`,
]; // biome-ignore format: dense
const statuses = [200, 200, 200, 204, 206, 301, 304, 400, 403, 404, 412, 416, 500, 503, 507, 299, 418];

let server: Server;
let store: ReplicaStore;
let random: Random;

beforeAll(async () => {
  random = randomFrom(seed);
  server = createServer((request, response) => {
    request.resume().on("end", () => {
      const pick = <T>(from: readonly T[]) => from[random.below(from.length)]!;
      const headers: Record<string, string> = {};
      const strange = [
        "",
        "x",
        "-5",
        "99999999999999999999",
        "0",
        "bytes 0-0/0",
        '"d41d8cd98f00b204e9800998ecf8427e"',
        "Thu, 99 Foo 2026",
      ];
      for (const name of [
        "etag",
        "last-modified",
        "date",
        "x-amz-version-id",
        "x-amz-object-lock-retain-until-date",
        "content-range",
      ]) {
        if (random.below(3) === 0) headers[name] = pick(strange);
      }
      const status = pick(statuses);
      response.on("error", () => undefined);
      if (random.below(12) === 0) request.socket.destroy();
      else response.writeHead(status, headers).end(request.method === "HEAD" ? "" : pick(bodies));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  store = await openS3Store(replica(), context);
});
afterAll(async () => {
  await store.close();
  server.closeAllConnections();
  server.close();
});

const context = {
  now: () => new Date(),
  environment: { AWS_ACCESS_KEY_ID: "K", AWS_SECRET_ACCESS_KEY: "s" },
  tuning: { triesMax: 2, firstPauseMs: 1, pauseMaxMs: 1, windowMs: 300, answerWindows: 3 },
};

function replica() {
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url: "s3://bucket/box", options: { endpoint }, conditionalPuts: true };
}

async function fine<T>(work: Promise<T>, check: (value: T) => void): Promise<void> {
  await work.then(check, (error: unknown) => {
    if (!isHoldfastError(error))
      throw new Error(`HOLDFAST_SEED=${seed}: not an expected failure`, { cause: error });
    expect(error.code).not.toBe(ErrorCode.internal);
  });
}

async function listed(): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key, bytes } of store.list("")) {
    expect(Number.isSafeInteger(bytes) && bytes >= 0).toBe(true);
    keys.push(key);
    if (keys.length > 50) break;
  }
  return keys;
}

it("survives answers that make no sense", async () => {
  const large = sourceOf(Buffer.alloc((40 << 20) + 1));
  for (let round = 0; round < 150; round++) {
    await fine(store.head("vaults/a"), (found) => {
      if (found !== undefined) expect(Number.isSafeInteger(found.bytes) && found.bytes >= 0).toBe(true);
    });
    await fine(store.getRange("vaults/a", 3, 7), (bytes) => expect(bytes).toHaveLength(7));
    await fine(store.putIfAbsent("vaults/a", sourceOf(Buffer.from("abc"))), ({ outcome }) => {
      expect(["created", "exists"]).toContain(outcome);
    });
    await fine(store.heal("vaults/a", sourceOf(Buffer.from("abc"))), (proof) =>
      expect(proof).toBeTypeOf("string"),
    );
    await fine(store.delete("vaults/a"), (outcome) =>
      expect(["deleted", "absent", "locked"]).toContain(outcome),
    );
    await fine(listed(), (keys) => {
      for (const key of keys) expect(key).toMatch(/^[\w/.-]+$/);
    });
    await fine(probeS3(replica(), context), ({ notes }) => expect(Array.isArray(notes)).toBe(true));
    if (round % 15 === 0) {
      await fine(store.putIfAbsent("vaults/l", large, { resume: "x" }), ({ outcome }) => {
        expect(["created", "exists"]).toContain(outcome);
      });
    }
  }
});
