// Whatever comes over the peer routes, from either side, ends as an answer or a typed error. fast-check prints the seed of what failed.

import { join, resolve, sep } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { checkPrefix, readKey } from "../../../gateway/peer/keyForm.ts";
import { rootKey } from "../../../gateway/replica/keys.ts";
import {
  parseAnswers,
  parseDeleteAnswer,
  parseListAnswer,
  parseReceipts,
} from "../../../gateway/replica/peer/peerAnswers.ts";
import { parseUploadAnswer } from "../../../gateway/replica/peer/peerPut.ts";
import { formatPeerToken, parsePeerToken } from "../../../gateway/replica/peer/tokenFile.ts";
import { objectHashHeader } from "../../../ingest/wire/peer.ts";
import { ErrorCode, isHoldfastError } from "../../../vault/errors.ts";
import { sourceOf } from "../../conformance/sources.ts";
import { fetchJson } from "../fetchJson.ts";
import { GatewayFixture } from "../gatewayFixture.ts";
import { addPeer, storeOf, type TestPeer } from "./peerFixture.ts";
import { ask } from "./rawPeer.ts";
import { chain, keyOfPack, putGeneration, replica, snapshotId, vault } from "./sampleChain.ts";

let fixture: GatewayFixture;
let peer: TestPeer;

beforeAll(async () => {
  fixture = await GatewayFixture.create();
  peer = await addPeer(fixture, "box", { quotaBytes: 10_000_000 });
});
afterAll(() => fixture.remove());

/** Runs it and gives its error's code, or undefined. Any other error fails the test. */
function codeOf(work: () => unknown): ErrorCode | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (isHoldfastError(error)) return error.code;
    throw error;
  }
}

const keyPart = fc.oneof(
  fc.constantFrom(
    "..",
    ".",
    "",
    "vaults",
    "gateway",
    "packs",
    "root",
    "index",
    vault,
    "0000000001",
    "ab",
    "%2e%2e",
    "a.tmp",
    "holdfast-replica.json",
  ),
  fc.string({ maxLength: 12 }),
  fc.string({ unit: "binary", maxLength: 6 }),
);
const keys = fc.array(keyPart, { maxLength: 10 }).map((parts) => parts.join("/"));

test("keys stay in their folder, and no prefix leads out", () => {
  const folder = resolve("replica");
  fc.assert(
    fc.property(keys, (key) => {
      const code = codeOf(() => readKey(key));
      expect([undefined, ErrorCode.usage]).toContain(code);
      if (code === undefined) expect(resolve(join(folder, key)).startsWith(folder + sep)).toBe(true);
      expect([undefined, ErrorCode.usage]).toContain(codeOf(() => checkPrefix(key)));
    }),
    { numRuns: 5000 },
  );
});

test("a peer's answers are read, or refused", () => {
  const row = fc.record({
    key: fc.oneof(keys, fc.constant(keyOfPack("a"))),
    bytes: fc.oneof(fc.integer(), fc.string()),
  });
  const answers = fc.oneof(
    fc.json(),
    fc
      .record({ objects: fc.array(row), next: fc.oneof(fc.constant(null), keys) })
      .map((value) => JSON.stringify(value)),
    fc
      .record({ upload: fc.string(), offset: fc.double(), done: fc.boolean() })
      .map((value) => JSON.stringify(value)),
    fc
      .record({ answers: fc.array(fc.oneof(fc.constant(null), fc.string())) })
      .map((value) => JSON.stringify(value)),
    fc.record({ receipts: fc.array(fc.string()) }).map((value) => JSON.stringify(value)),
    fc.string({ unit: "binary" }),
  );
  fc.assert(
    fc.property(answers, fc.nat(3), (text, count) => {
      const body = Buffer.from(text);
      for (const read of [
        () => parseListAnswer(body, chain, undefined),
        () => parseListAnswer(body, "", "a"),
        () => parseDeleteAnswer(body),
        () => parseUploadAnswer(body, count),
        () => parseAnswers(body, count),
        () => parseReceipts(body, count),
      ]) {
        expect([undefined, ErrorCode.replicaRefused]).toContain(codeOf(read));
      }
    }),
    { numRuns: 2000 },
  );
});

test("a token file is read, or refused, however it was changed", () => {
  const { token } = peer;
  const text = formatPeerToken(token);
  expect(parsePeerToken(text)).toEqual(token);
  const changed = fc
    .tuple(fc.nat(text.length), fc.nat(20), fc.string({ unit: "binary", maxLength: 5 }))
    .map(([at, drop, put]) => text.slice(0, at) + put + text.slice(at + drop));
  fc.assert(
    fc.property(fc.oneof(changed, fc.json(), fc.string()), (other) => {
      codeOf(() => parsePeerToken(other));
    }),
    { numRuns: 3000 },
  );
  expect(codeOf(() => parsePeerToken("x".repeat(100_000)))).toBe(ErrorCode.limitExceeded);
});

test("requests of any form are answered, and the gateway goes on", { timeout: 120_000 }, async () => {
  const path = fc.oneof(
    keys.map((key) => `/v1/peer/objects/${encodeURI(key).replaceAll(" ", "%20")}`),
    fc
      .tuple(keys, keys)
      .map(
        ([prefix, after]) =>
          `/v1/peer/objects?prefix=${encodeURIComponent(prefix)}&after=${encodeURIComponent(after)}`,
      ),
    fc.constantFrom(
      "/v1/peer/objects?limit=0",
      "/v1/peer/uploads",
      `/v1/peer/uploads/${"0".repeat(32)}?offset=0`,
      "/v1/peer/uploads/x",
      "/v1/peer/challenge",
      `/v1/peer/vaults/${vault}/receipts`,
      "/v1/peer/usage",
      "/v1/peer/",
    ),
  );
  const headers = fc.record({
    "if-none-match": fc.constantFrom("*", "x"),
    [objectHashHeader]: fc.constantFrom(
      "ab".repeat(32),
      "x",
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ),
    "holdfast-heal": fc.constantFrom("0", "1"),
    range: fc.constantFrom("bytes=0-0", "bytes=-5", "bytes=9-1", "x"),
  });
  const json = fc.oneof(
    fc.jsonValue(),
    fc.record({
      key: keys,
      bytes: fc.oneof(fc.integer(), fc.double()),
      sha256: fc.constantFrom("ab".repeat(32), "x"),
    }),
    fc.record({ nonce: fc.constantFrom("ab".repeat(32), "x"), keys: fc.array(keys, { maxLength: 4 }) }),
    fc.record({
      replica: fc.constant(replica),
      generation: fc.integer(),
      root: fc.constant("ab".repeat(32)),
      snapshots: fc.array(fc.constant("cd".repeat(32)), { maxLength: 2 }),
    }),
  );
  const body = fc.oneof(
    fc.constant({}),
    json.map((value) => ({ json: value })),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => ({ body: bytes })),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"),
      path,
      headers,
      body,
      async (method, where, extra, sent) => {
        const { status } = await ask(peer, { method, path: where, headers: extra, ...sent });
        expect(status).toBeGreaterThanOrEqual(200);
        expect(status).toBeLessThan(500);
      },
    ),
    { numRuns: 400 },
  );
  expect(await fetchJson(`${peer.token.url}/healthz`)).toMatchObject({ status: 200 });
});

test("roots and manifests of any form end in an answer: no receipt, nothing that is listed deleted", {
  timeout: 120_000,
}, async () => {
  const store = storeOf(peer, { challengeOneOf: 1000, triesMax: 1 });
  const { object, root, sha256 } = await putGeneration(store, {
    generation: 1,
    packs: ["a", "b"],
    snapshots: ["s"],
  });
  let generation = 1;
  await fc.assert(
    fc.asyncProperty(
      fc.nat(object.length - 1),
      fc.nat(30),
      fc.uint8Array({ maxLength: 8 }),
      async (at, drop, put) => {
        generation++;
        const next = Buffer.from(
          object.toString("latin1").replace('"generation":1', `"generation":${generation}`),
          "latin1",
        );
        const changed = Buffer.concat([next.subarray(0, at), put, next.subarray(at + drop)]);
        await store.putIfAbsent(rootKey(chain, generation), sourceOf(changed));
        const asked = { vault, replica, generation, root: sha256, snapshots: [snapshotId("s")] };
        await expect(store.receipts(asked)).rejects.toSatisfy(isHoldfastError);
        for (const key of [keyOfPack("a"), `${chain}${root.manifest.name}`]) {
          const outcome = await store.delete(key).catch((error: unknown) => {
            expect(isHoldfastError(error, ErrorCode.replicaRefused)).toBe(true);
            return "refused";
          });
          expect(outcome).not.toBe("deleted");
        }
      },
    ),
    { numRuns: 60 },
  );
  await store.close();
});
