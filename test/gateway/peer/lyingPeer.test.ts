// A peer that lies is found out, and what it says is never taken for more than it is: every lie ends as a typed error.

import { createHmac } from "node:crypto";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { packKey } from "../../../gateway/replica/keys.ts";
import type { PeerStore } from "../../../gateway/replica/peer/peerStore.ts";
import { objectHashHeader, peerLimits } from "../../../ingest/wire/peer.ts";
import { ErrorCode } from "../../../vault/errors.ts";
import { ReceiptSigner } from "../../../vault/replica/receipt.ts";
import { sourceOf } from "../../conformance/sources.ts";
import { seededBytes } from "../../vault/seeded.ts";
import { type Lie, LyingPeer } from "./lyingPeer.ts";
import { storeOf } from "./peerFixture.ts";
import { sha256Of } from "./rawPeer.ts";
import { chain, replica, snapshotId, vault } from "./sampleChain.ts";

let liar: LyingPeer;
const stores: PeerStore[] = [];
const bytes = seededBytes("pack", 20_000);
const key = packKey(vault, Buffer.from(sha256Of(bytes), "hex"));

beforeAll(async () => {
  liar = await LyingPeer.start();
});
afterEach(async () => {
  for (const store of stores.splice(0)) await store.close();
});
afterAll(() => liar.stop());

function storeThat(lie: Lie, challengeOneOf = 1): PeerStore {
  liar.lie = lie;
  const store = storeOf(liar.peer, { triesMax: 2, challengeOneOf });
  stores.push(store);
  return store;
}

const damaged = { code: ErrorCode.replicaDamaged };
const refused = { code: ErrorCode.replicaRefused };

test("acknowledges and drops: the challenge after the put says so", async () => {
  const store = storeThat((method) =>
    method === "PUT" ? { status: 201, json: { proof: "hashed" } } : { json: { answers: [null] } },
  );
  await expect(store.putIfAbsent(key, sourceOf(bytes))).rejects.toMatchObject(damaged);
  await expect(store.heal(key, sourceOf(bytes))).rejects.toMatchObject(damaged);
});

test("keeps other bytes, or answers a challenge from memory: no answer fits", async () => {
  const once = createHmac("sha256", Buffer.alloc(32)).update(bytes).digest("hex");
  for (const answer of [once, "00".repeat(32), sha256Of(bytes)]) {
    const store = storeThat((method) =>
      method === "PUT" ? { status: 201, json: { proof: "hashed" } } : { json: { answers: [answer] } },
    );
    await expect(store.putIfAbsent(key, sourceOf(bytes))).rejects.toMatchObject(damaged);
  }
});

test("a share of the puts is enough to find one that drops everything", async () => {
  const store = storeThat(
    (method) =>
      method === "PUT" ? { status: 201, json: { proof: "hashed" } } : { json: { answers: [null] } },
    4,
  );
  const puts = Array.from({ length: 200 }, () =>
    store.putIfAbsent(key, sourceOf(bytes)).catch((error) => error.code),
  );
  expect(await Promise.all(puts)).toContain(ErrorCode.replicaDamaged);
});

test("gives another range, fewer or more bytes, or none of the range's: never taken", async () => {
  const range = (body: Uint8Array, given: string) => () => ({
    status: 206,
    body,
    headers: { "content-range": given },
  });
  const lies: [Lie, object][] = [
    [range(bytes.subarray(0, 99), "bytes 0-99/20000"), damaged],
    [range(bytes.subarray(0, 101), "bytes 0-100/20000"), damaged],
    [range(bytes.subarray(0, 100), "bytes 1-100/20000"), damaged],
    [range(bytes.subarray(0, 100), "pages 0-99"), damaged],
    [() => ({ status: 200, body: bytes.subarray(0, 100) }), damaged],
    [() => ({ status: 416, body: Buffer.alloc(0) }), damaged],
    [range(Buffer.alloc(300_000), "bytes 0-99/20000"), refused],
    [
      () => ({ status: 206, body: bytes.subarray(0, 100), cutAfter: 50 }),
      { code: ErrorCode.replicaUnreachable },
    ],
  ];
  for (const [lie, expected] of lies) {
    await expect(storeThat(lie).getRange(key, 0, 100)).rejects.toMatchObject(expected);
  }
});

test("tells sizes that are none, and hashes of other objects", async () => {
  await expect(storeThat(() => ({})).head(key)).rejects.toMatchObject(refused);
  await expect(
    storeThat(() => ({ headers: { "content-length": "9007199254740993" } })).head(key),
  ).rejects.toMatchObject(refused);
  // The first answer is lost; that something exists afterwards is not taken for ours.
  let puts = 0;
  const store = storeThat((method) => {
    if (method !== "PUT")
      return { headers: { [objectHashHeader]: "11".repeat(32), "content-length": "20000" } };
    puts++;
    const exists = { status: 409, json: { error: { code: "exists", message: "there" } } };
    return puts === 1 ? { body: Buffer.alloc(10), cutAfter: 0 } : exists;
  });
  expect(await store.putIfAbsent(key, sourceOf(bytes))).toEqual({ outcome: "exists" });
  expect(puts).toBe(2);
});

test("loses count of an upload, or never lets it end", async () => {
  const long = seededBytes("long", peerLimits.putBytesMax + 10);
  const longKey = packKey(vault, Buffer.from(sha256Of(long), "hex"));
  const upload = "ab".repeat(16);
  const start = { upload, offset: 0, done: false };
  for (const part of [
    { upload, offset: 0, done: false },
    { upload, offset: long.length, done: true },
    { upload, offset: peerLimits.partBytesMax, done: true },
    { upload, offset: -1, done: false },
    { upload: "../x", offset: peerLimits.partBytesMax, done: false },
    { offset: "8388608" },
    [],
  ]) {
    const store = storeThat((method) => ({ json: method === "POST" ? start : part }));
    await expect(store.putIfAbsent(longKey, sourceOf(long))).rejects.toMatchObject(refused);
  }
  for (const offset of [0, 5, -1, 1e300, "x"]) {
    const conflict = {
      status: 409,
      json: { error: { code: "sequence-conflict", message: "no", detail: { offset } } },
    };
    const store = storeThat((method) => (method === "POST" ? { json: start } : conflict));
    await expect(store.putIfAbsent(longKey, sourceOf(long))).rejects.toMatchObject({
      code: ErrorCode.sequenceConflict,
    });
  }
});

test("lists what is not below the prefix, out of order, or for ever", async () => {
  const row = (name: string) => ({ key: `${chain}index/${sha256Of(Buffer.from(name))}`, bytes: 1 });
  const sorted = [row("a"), row("b"), row("c")].sort((a, b) => (a.key < b.key ? -1 : 1));
  const list = async (lie: Lie) => {
    const found: string[] = [];
    for await (const object of storeThat(lie).list(`${chain}index/`)) found.push(object.key);
    return found;
  };
  expect(await list(() => ({ json: { objects: sorted, next: null } }))).toHaveLength(3);
  for (const answer of [
    { objects: sorted.toReversed(), next: null },
    { objects: sorted, next: sorted[0]?.key },
    { objects: sorted, next: sorted[2]?.key },
    { objects: [], next: "x" },
    { objects: [{ key: "elsewhere", bytes: 1 }], next: null },
    { objects: [{ key: `${chain}index/../../x`, bytes: 1 }], next: null },
    { objects: [{ ...sorted[0], bytes: -1 }], next: null },
    { objects: Array.from({ length: 1001 }, () => sorted[0]), next: null },
    { objects: null },
    "text",
  ]) {
    await expect(
      list(() => ({ json: answer })),
      JSON.stringify(answer).slice(0, 100),
    ).rejects.toMatchObject(refused);
  }
});

test("receipts of another key, snapshot, root, replica or vault, altered ones, too few: none is taken", async () => {
  const asked = { vault, replica, generation: 3, root: "cd".repeat(32), snapshots: [snapshotId("s")] };
  const good = {
    vault,
    replica,
    generation: 3,
    root: asked.root,
    snapshot: snapshotId("s"),
    merkle: "ef".repeat(32),
    packs: 1,
    packBytes: 10,
    proof: "peer" as const,
    time: "2026-11-25T20:00:00Z",
  };
  const signed = (receipt: typeof good, signer = liar.signer) => signer.sign(receipt).toString("latin1");
  const store = storeThat(() => ({ json: { receipts: [signed(good)] } }));
  expect(await store.receipts(asked)).toEqual([signed(good)]);
  const bad = [
    signed(good, new ReceiptSigner(seededBytes("someone else", 32))),
    signed({ ...good, snapshot: "00".repeat(32) }),
    signed({ ...good, root: "00".repeat(32) }),
    signed({ ...good, replica: "00".repeat(16) }),
    signed({ ...good, vault: "00".repeat(16) }),
    signed({ ...good, generation: 4 }),
    signed({ ...good, proof: "checksum" as "peer" }),
    signed(good).replace('"packs":1', '"packs":2'),
    "{}\n",
    "",
  ];
  for (const receipt of bad) {
    await expect(storeThat(() => ({ json: { receipts: [receipt] } })).receipts(asked)).rejects.toMatchObject(
      damaged,
    );
  }
  for (const receipts of [[], [signed(good), signed(good)], [5], ["x".repeat(10_000)], {}]) {
    await expect(storeThat(() => ({ json: { receipts } })).receipts(asked)).rejects.toMatchObject(refused);
  }
});

test("answers challenges with too few, malformed or no answers", async () => {
  const nonce = Buffer.alloc(32, 7);
  for (const answers of [[], ["00"], ["zz".repeat(32)], [5], {}, ["00".repeat(32), null]]) {
    await expect(storeThat(() => ({ json: { answers } })).challenge(nonce, [key])).rejects.toMatchObject(
      refused,
    );
  }
});

test("another key behind the address gets nothing, not even the token", async () => {
  let asked = 0;
  liar.lie = () => {
    asked++;
    return {};
  };
  const { token } = liar.peer;
  const store = storeOf(
    { id: "", token: { ...token, fingerprint: `SHA256:${"0".repeat(64)}` } },
    { triesMax: 2 },
  );
  await expect(store.head(key)).rejects.toMatchObject(refused);
  await expect(store.putIfAbsent(key, sourceOf(bytes))).rejects.toMatchObject(refused);
  expect(asked).toBe(0);
  await store.close();
});

test("a proxy's own words, throttling and failures are tried again, and end as unreachable", async () => {
  for (const status of [429, 500, 502, 503, 504]) {
    const store = storeThat(() => ({ status, body: Buffer.from("<html>later</html>") }));
    await expect(store.head(key)).rejects.toMatchObject({ code: ErrorCode.replicaUnreachable });
    expect(store.usage()).toMatchObject({ requests: { HeadObject: 2 }, retries: 1 });
  }
  const store = storeThat(() => ({ status: 403, body: Buffer.from("<html>no</html>") }));
  await expect(store.getRange(key, 0, 1)).rejects.toMatchObject(refused);
});
