// What a peer proves: receipts over a real second gateway, challenges, and what becomes of damage, of files put there by hand, and of a disk that is gone.

import { createHmac } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FolderStore } from "../../../gateway/replica/folder/folderStore.ts";
import { rootKey } from "../../../gateway/replica/keys.ts";
import type { PeerStore } from "../../../gateway/replica/peer/peerStore.ts";
import { peerLimits } from "../../../ingest/wire/peer.ts";
import { ErrorCode } from "../../../vault/errors.ts";
import { openReceipt } from "../../../vault/replica/receipt.ts";
import { sourceOf } from "../../conformance/sources.ts";
import { GatewayFixture } from "../gatewayFixture.ts";
import { addPeer, storeOf, type TestPeer } from "./peerFixture.ts";
import { ask } from "./rawPeer.ts";
import {
  chain,
  keyOfPack,
  packBytes,
  putGeneration,
  replica,
  snapshotId,
  vault,
  type WrittenRoot,
} from "./sampleChain.ts";

let fixture: GatewayFixture;
let peer: TestPeer;
let store: PeerStore;
let folder: string;

beforeEach(async () => {
  fixture = await GatewayFixture.create();
  peer = await addPeer(fixture, "box");
  store = storeOf(peer, { triesMax: 2 });
  folder = fixture.gateway.peers.folderPath(peer.id);
});
afterEach(async () => {
  await store.close();
  await fixture.remove();
});

const asked = ({ root, sha256 }: WrittenRoot, snapshots: string[]) => ({
  vault,
  replica,
  generation: root.generation,
  root: sha256,
  snapshots: snapshots.map(snapshotId),
});
const damaged = { code: ErrorCode.replicaDamaged };
const hmac = (nonce: Uint8Array, bytes: Uint8Array) => createHmac("sha256", nonce).update(bytes).digest();

test("a receipt for each snapshot, signed by the far gateway, over every pack of the newest root", async () => {
  const written = await putGeneration(store, {
    generation: 1,
    packs: ["a", "b", "c"],
    snapshots: ["s", "t"],
  });
  const receipts = await store.receipts(asked(written, ["t", "s"]));
  const opened = receipts.map((text) => openReceipt(Buffer.from(text), peer.token.signer));
  expect(opened.map(({ snapshot }) => snapshot)).toEqual(["t", "s"].map(snapshotId));
  expect(opened[0]).toMatchObject({
    vault,
    replica,
    generation: 1,
    root: written.sha256,
    merkle: written.root.merkle,
    packs: 3,
    packBytes: 60_000,
    proof: "peer",
  });
  // Another start of the same gateway signs with the same key.
  await fixture.stop();
  await fixture.start();
  const again = storeOf({ ...peer, token: { ...peer.token, url: fixture.listening.url } });
  expect(await again.receipts(asked(written, ["s"]))).toHaveLength(1);
  await again.close();
});

test("no receipt for a snapshot that the root does not list, another root, or one that is not the newest", async () => {
  const first = await putGeneration(store, { generation: 1, packs: ["a"], snapshots: ["s"] });
  await expect(store.receipts(asked(first, ["s", "never"]))).rejects.toMatchObject({
    code: ErrorCode.notFound,
  });
  await expect(store.receipts({ ...asked(first, ["s"]), root: "00".repeat(32) })).rejects.toMatchObject({
    code: ErrorCode.sequenceConflict,
  });
  await expect(store.receipts({ ...asked(first, ["s"]), generation: 2 })).rejects.toMatchObject({
    code: ErrorCode.notFound,
  });
  const second = await putGeneration(store, {
    generation: 2,
    packs: ["a", "b"],
    snapshots: ["s"],
    previous: first.sha256,
  });
  await expect(store.receipts(asked(first, ["s"]))).rejects.toMatchObject({
    code: ErrorCode.sequenceConflict,
  });
  expect(await store.receipts(asked(second, ["s"]))).toHaveLength(1);
});

test("no receipt while anything that the root lists is missing or shorter; it names what", async () => {
  const written = await putGeneration(store, { generation: 1, packs: ["a", "b", "c"], snapshots: ["s"] }, [
    "b",
  ]);
  await expect(store.receipts(asked(written, ["s"]))).rejects.toMatchObject({
    ...damaged,
    detail: { count: 1, missing: [keyOfPack("b")] },
  });
  await store.putIfAbsent(keyOfPack("b"), sourceOf(packBytes("b")));
  expect(await store.receipts(asked(written, ["s"]))).toHaveLength(1);
  truncateSync(join(folder, keyOfPack("a")), 19_999);
  rmSync(join(folder, keyOfPack("c")));
  await expect(store.receipts(asked(written, ["s"]))).rejects.toMatchObject({
    ...damaged,
    detail: { count: 2, missing: [keyOfPack("a"), keyOfPack("c")] },
  });
  for (const label of ["a", "c"]) await store.heal(keyOfPack(label), sourceOf(packBytes(label)));
  expect(await store.receipts(asked(written, ["s"]))).toHaveLength(1);
  rmSync(join(folder, written.manifestKey));
  await expect(store.receipts(asked(written, ["s"]))).rejects.toMatchObject({ code: ErrorCode.notFound });
});

test("a root that says something else than its manifest gets none", async () => {
  const written = await putGeneration(store, {
    generation: 1,
    packs: ["a"],
    snapshots: ["s"],
    merkle: "00".repeat(32),
  });
  await expect(store.receipts(asked(written, ["s"]))).rejects.toMatchObject(damaged);
});

test("challenges are answered from the bytes as they are now, and nothing else answers them", async () => {
  for (const label of ["a", "b"]) await store.putIfAbsent(keyOfPack(label), sourceOf(packBytes(label)));
  const nonce = Buffer.alloc(32, 9);
  const keys = [keyOfPack("a"), keyOfPack("never"), keyOfPack("b")];
  expect(await store.challenge(nonce, keys)).toEqual([
    hmac(nonce, packBytes("a")),
    undefined,
    hmac(nonce, packBytes("b")),
  ]);
  const file = join(folder, keyOfPack("b"));
  const bytes = readFileSync(file);
  bytes[777]! ^= 1;
  writeFileSync(file, bytes);
  expect((await store.challenge(nonce, keys))[2]).not.toEqual(hmac(nonce, packBytes("b")));
  // Healing replaces what fails its hash, and counts its bytes once.
  await store.heal(keyOfPack("b"), sourceOf(packBytes("b")));
  expect((await store.challenge(nonce, keys))[2]).toEqual(hmac(nonce, packBytes("b")));
  expect(fixture.gateway.catalog.peers.totals(peer.id)).toEqual({ bytes: 40_000, objects: 2 });
  const many = Array.from({ length: peerLimits.keysPerChallenge + 1 }, () => keyOfPack("a"));
  await expect(store.challenge(nonce, many)).rejects.toMatchObject({ code: ErrorCode.replicaRefused });
});

test("a folder replica and a peer's folder are the same: files that come by disk are hashed, and count from then on", async () => {
  const carried = await FolderStore.open(folder, `file://${folder}`, true);
  const written = await putGeneration(carried, { generation: 1, packs: ["a", "b"], snapshots: ["s"] });
  expect(fixture.gateway.catalog.peers.totals(peer.id).objects).toBe(0);
  expect(await store.receipts(asked(written, ["s"]))).toHaveLength(1);
  expect(await store.putIfAbsent(rootKey(chain, 1), sourceOf(Buffer.from("x")))).toEqual({
    outcome: "exists",
  });
  expect(fixture.gateway.catalog.peers.totals(peer.id).bytes).toBeGreaterThan(40_000);
  // And back: what a peer stored is read as a folder replica.
  await store.putIfAbsent(keyOfPack("c"), sourceOf(packBytes("c")));
  expect((await carried.getRange(keyOfPack("c"), 0, 20_000)).equals(packBytes("c"))).toBe(true);
  const keys = async (from: FolderStore | PeerStore) => {
    const found: string[] = [];
    for await (const { key } of from.list("")) found.push(key);
    return found.sort();
  };
  expect(await keys(store)).toEqual(await keys(carried));
  // A file whose bytes are not those of its name is nobody's: it gives way.
  const wrong = join(folder, keyOfPack("d"));
  mkdirSync(dirname(wrong), { recursive: true });
  copyFileSync(join(folder, keyOfPack("c")), wrong);
  expect(await store.head(keyOfPack("d"))).toBeUndefined();
  expect(await store.putIfAbsent(keyOfPack("d"), sourceOf(packBytes("d")))).toMatchObject({
    outcome: "created",
  });
  expect(readFileSync(wrong).equals(packBytes("d"))).toBe(true);
  await carried.close();
});

test("a list comes in pages, in order, whatever their size", async () => {
  const labels = Array.from({ length: 23 }, (_, i) => `listed ${i}`);
  for (const label of labels) await store.putIfAbsent(keyOfPack(label), sourceOf(packBytes(label)));
  await store.putIfAbsent("notes", sourceOf(Buffer.from("x")));
  const whole = (await ask(peer, { method: "GET", path: "/v1/peer/objects" })).json as {
    objects?: { key: string }[];
  };
  expect(whole.objects).toHaveLength(24);
  for (const limit of [1, 2, 7, 24, 100]) {
    const keys: string[] = [];
    for (let after = ""; ; ) {
      const page = (await ask(peer, { method: "GET", path: `/v1/peer/objects?limit=${limit}${after}` }))
        .json as { objects?: { key: string }[]; next?: string | null };
      keys.push(...(page.objects ?? []).map(({ key }) => key));
      if (page.next == null) break;
      after = `&after=${page.next}`;
    }
    expect(keys, String(limit)).toEqual(whole.objects?.map(({ key }) => key));
  }
});

test("a disk that is gone is told from a replica that lost everything, and nothing is written in its place", async () => {
  await store.putIfAbsent(keyOfPack("a"), sourceOf(packBytes("a")));
  renameSync(folder, `${folder}.away`);
  mkdirSync(folder);
  for (const work of [
    () => store.head(keyOfPack("a")),
    () => store.getRange(keyOfPack("a"), 0, 1),
    () => store.putIfAbsent(keyOfPack("b"), sourceOf(packBytes("b"))),
  ]) {
    const error = await work().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: expect.stringMatching(/^replica-(unreachable|refused)$/) });
    expect(String(error)).not.toContain(folder);
  }
  expect(readdirSync(folder)).toEqual([]);
  rmSync(folder, { recursive: true });
  renameSync(`${folder}.away`, folder);
  expect(await store.head(keyOfPack("a"))).toEqual({ bytes: 20_000 });
});
