// What a gateway that pushes replicas, or whoever has its token, cannot do to the gateway that keeps them, to other peers, and to its own replica.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { packKey, rootKey } from "../../../gateway/replica/keys.ts";
import { sourceOf } from "../../conformance/sources.ts";
import { seededBytes } from "../../vault/seeded.ts";
import { fetchJson } from "../fetchJson.ts";
import { GatewayFixture } from "../gatewayFixture.ts";
import { addPeer, storeOf, type TestPeer } from "./peerFixture.ts";
import { ask, putObject, sha256Of } from "./rawPeer.ts";
import { chain, keyOfPack, packBytes, putGeneration, vault } from "./sampleChain.ts";

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

test("keys do not lead out of the folder, and names of the layout keep their form", async () => {
  const bytes = Buffer.from("x");
  const hash = sha256Of(bytes);
  for (const key of [
    "../x",
    "..%2fx",
    "a/../../x",
    "%2e%2e/x",
    "a%00b",
    "/etc/passwd",
    "a//b",
    ".incoming/x",
    "a/.b",
    "holdfast-replica.json",
    "a.tmp",
    "a/b/c/d/e/f/g/h/i",
    `${"x".repeat(201)}`,
    `${"y/".repeat(7)}${"x".repeat(190)}/${"z".repeat(190)}`,
    `vaults/${vault}/packs/zz/${hash}`,
    `vaults/${vault}/packs/${hash}`,
    `vaults/${vault}/index/readme`,
    `vaults/${vault}/root/1`,
    `vaults/${vault}/root/0000000000`,
    `vaults/${vault}/root/0000000001/x`,
    `gateway/root/latest`,
    `gateway/sealed/x`,
  ]) {
    const answer = await putObject(peer, key, bytes);
    expect([400, 404], `${key}: ${answer.status}`).toContain(answer.status);
  }
  const folder = fixture.gateway.peers.folderPath(peer.id);
  expect(readdirSync(folder).sort()).toEqual([".incoming", "holdfast-replica.json"]);
  expect(readdirSync(join(folder, ".."))).toEqual([peer.id]);
  // A key that goes on below another object's.
  expect((await putObject(peer, "notes", bytes)).status).toBe(201);
  expect(await putObject(peer, "notes/more", bytes)).toMatchObject({ status: 400, code: "usage" });
  expect(await putObject(peer, "deep/er", bytes)).toMatchObject({ status: 201 });
  expect(await putObject(peer, "deep", bytes)).toMatchObject({ status: 400, code: "usage" });
});

test("another peer's objects and uploads answer as what does not exist, and other tokens open nothing here", async () => {
  const other = await addPeer(fixture, "other");
  const bytes = seededBytes("mine", 5000);
  const key = keyFor(bytes);
  expect((await putObject(peer, key, bytes)).status).toBe(201);
  const upload = await ask(peer, {
    method: "POST",
    path: "/v1/peer/uploads",
    json: { key: keyFor(Buffer.from("y")), bytes: 1, sha256: sha256Of(Buffer.from("y")) },
  });
  const never = keyFor(Buffer.from("never"));
  for (const [mine, missing, method] of [
    [`/v1/peer/objects/${key}`, `/v1/peer/objects/${never}`, "GET"],
    [`/v1/peer/objects/${key}`, `/v1/peer/objects/${never}`, "DELETE"],
    [`/v1/peer/uploads/${upload.json.upload}`, `/v1/peer/uploads/${"0".repeat(32)}`, "GET"],
    [`/v1/peer/uploads/${upload.json.upload}`, `/v1/peer/uploads/${"0".repeat(32)}`, "DELETE"],
  ] as const) {
    const seen = await ask(other, { method, path: mine });
    const absent = await ask(other, { method, path: missing });
    expect(seen).toEqual(absent);
    expect(seen.status).toBe(404);
  }
  const nonce = "ab".repeat(32);
  expect(
    (await ask(other, { method: "POST", path: "/v1/peer/challenge", json: { nonce, keys: [key] } })).json,
  ).toEqual({ answers: [null] });
  expect((await ask(other, { method: "GET", path: "/v1/peer/objects" })).json).toEqual({
    objects: [],
    next: null,
  });
  // It can store the same object, and that is its own.
  expect((await putObject(other, key, bytes)).status).toBe(201);

  const device = await fixture.device(await fixture.account("anna"), "laptop");
  // The last of its letters may be A already.
  const altered = peer.token.token.replace(/.$/, (last) => (last === "A" ? "E" : "A"));
  for (const token of ["", "x", device.token, altered, peer.token.token.replace("hfr_", "hfd_")]) {
    expect(await ask(peer, { method: "GET", path: "/v1/peer/usage", token }), token).toMatchObject({
      status: 401,
      code: "token-invalid",
    });
    expect(
      (await ask(peer, { method: "PUT", path: `/v1/peer/objects/${never}`, body: bytes, token })).status,
      token,
    ).toBe(401);
  }
  for (const path of ["/v1/me", `/v1/vaults/${device.vault}/document`, "/v1/snapshots"]) {
    expect((await ask(peer, { method: "GET", path })).status).toBe(401);
  }
  const { token } = fixture.gateway.peers.rotate("box");
  expect((await ask(peer, { method: "GET", path: "/v1/peer/usage" })).status).toBe(401);
  expect((await ask(peer, { method: "GET", path: "/v1/peer/usage", token })).status).toBe(200);
  await fixture.gateway.peers.remove("other", true);
  expect((await ask(other, { method: "GET", path: "/v1/peer/usage" })).status).toBe(401);
  expect(await fetchJson(`${peer.token.url}/healthz`)).toMatchObject({ status: 200 });
});

test("nothing that is there is overwritten: not a root, not a document; content only when it fails its hash", async () => {
  const key = rootKey(chain, 1);
  const root = Buffer.from("the first root\n");
  expect((await putObject(peer, key, root)).status).toBe(201);
  expect(await putObject(peer, key, Buffer.from("another\n"))).toMatchObject({ status: 409, code: "exists" });
  for (const name of [key, `${chain}vault.json`, "notes"]) {
    expect(await putObject(peer, name, Buffer.from("healed\n"), { "holdfast-heal": "1" })).toMatchObject({
      status: 403,
      code: "forbidden",
    });
  }
  expect(await ask(peer, { method: "DELETE", path: `/v1/peer/objects/${key}` })).toMatchObject({
    status: 403,
    code: "forbidden",
  });
  expect((await ask(peer, { method: "GET", path: `/v1/peer/objects/${key}` })).body.equals(root)).toBe(true);
  const pack = seededBytes("pack", 9000);
  await putObject(peer, keyFor(pack), pack);
  const file = join(fixture.gateway.peers.folderPath(peer.id), keyFor(pack));
  expect(
    await putObject(peer, keyFor(pack), seededBytes("evil", 9000), { "holdfast-heal": "1" }),
  ).toMatchObject({ status: 400, code: "corrupt" });
  expect(readFileSync(file).equals(pack)).toBe(true);
});

test("a token alone does not empty a replica: what roots list, or listed within the hold time, is not deleted", async () => {
  const held = await addPeer(fixture, "held", { holdSeconds: (7 * 24 * hour) / 1000 });
  const store = storeOf(held);
  const first = await putGeneration(store, { generation: 1, packs: ["a", "b"], snapshots: ["s"] });
  const remove = async (key: string) => {
    const answer = await ask(held, { method: "DELETE", path: `/v1/peer/objects/${key}` });
    return answer.code ?? answer.json.outcome;
  };
  for (const key of [
    keyOfPack("a"),
    first.manifestKey,
    `${chain}vault.json`,
    `${chain}keys/00000001.json`,
    `${chain}${first.root.catalog.name}`,
  ]) {
    expect(await remove(key), key).toBe("forbidden");
  }
  // A root that leaves everything out, as whoever stole the token would write it, and one that dooms it.
  nowMs += 30 * 24 * hour;
  const forged = await putGeneration(store, { generation: 2, packs: [], doomed: ["a"] });
  for (const key of [keyOfPack("a"), keyOfPack("b"), first.manifestKey])
    expect(await remove(key)).toBe("locked");
  // Rubbish in the place of a root changes nothing, nor does one whose manifest is not there.
  await store.putIfAbsent(rootKey(chain, 3), sourceOf(Buffer.from("rubbish")));
  nowMs += 6 * 24 * hour;
  expect(await remove(keyOfPack("a"))).toBe("locked");
  // What just arrived may be in the next root.
  const young = seededBytes("young", 5000);
  await store.putIfAbsent(keyFor(young), sourceOf(young));
  expect(await remove(keyFor(young))).toBe("locked");
  // After the hold time what no root lists may go, and nothing else.
  nowMs += 2 * 24 * hour;
  expect(await remove(forged.manifestKey)).toBe("forbidden");
  expect(await remove(keyOfPack("a"))).toBe("deleted");
  expect(await remove(keyOfPack("a"))).toBe("not-found");
  expect((await store.getRange(keyOfPack("b"), 0, 100)).equals(packBytes("b").subarray(0, 100))).toBe(true);
  await store.close();
});

test("a root behind a gap, which its owner's gateway would not find, is refused", async () => {
  const store = storeOf(peer);
  const first = await putGeneration(store, { generation: 1, packs: ["a"], snapshots: ["s"] });
  for (const generation of [3, 9_999_999_999]) {
    for (const path of [rootKey(chain, generation), rootKey("gateway/", generation)]) {
      expect(await putObject(peer, path, first.object)).toMatchObject({
        status: 409,
        code: "sequence-conflict",
      });
    }
    const json = { key: rootKey(chain, generation), bytes: 10, sha256: sha256Of(first.object) };
    expect(await ask(peer, { method: "POST", path: "/v1/peer/uploads", json })).toMatchObject({
      code: "sequence-conflict",
    });
  }
  expect(await store.delete(keyOfPack("a")).catch((error) => error.code)).toBe("replica-refused");
  await store.close();
});

test("a root that is not understood keeps everything", async () => {
  const store = storeOf(peer);
  const { object } = await putGeneration(store, { generation: 1, packs: ["a"] });
  const newer = Buffer.from(
    object
      .toString("latin1")
      .replace('"generation":1', '"generation":2')
      .replace('"version":1', '"version":9'),
  );
  await store.putIfAbsent(rootKey(chain, 2), sourceOf(newer));
  await store.putIfAbsent(keyOfPack("left over"), sourceOf(packBytes("left over")));
  expect(await store.delete(keyOfPack("left over"))).toBe("locked");
  await store.close();
});
