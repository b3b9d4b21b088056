// Proving a copy in another gateway by a challenge: nothing is downloaded, and what is wrong is blamed on the right end.

import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PackCopies } from "../../../gateway/cache/packCopies.ts";
import { ReplicaStores } from "../../../gateway/cache/replicaStores.ts";
import type { PackRow } from "../../../gateway/index/packTable.ts";
import { packKey } from "../../../gateway/replica/keys.ts";
import type { PeerStore } from "../../../gateway/replica/peer/peerStore.ts";
import { closedPackPath } from "../../../gateway/store/packPaths.ts";
import { ErrorCode } from "../../../vault/errors.ts";
import { sourceOf } from "../../conformance/sources.ts";
import { GatewayFixture } from "../gatewayFixture.ts";
import { addPeer, storeOf, type TestPeer } from "../peer/peerFixture.ts";
import { EvictFixture } from "./evictFixture.ts";

const replica = "3d".repeat(16);
let here: EvictFixture;
let far: GatewayFixture;
let peer: TestPeer;
let store: PeerStore;
let stores: ReplicaStores;
let copies: PackCopies;
let reports: string[];

beforeEach(async () => {
  here = await EvictFixture.create();
  far = await GatewayFixture.create();
  peer = await addPeer(far, "box");
  store = storeOf(peer, { triesMax: 2 });
  reports = [];
  const { url } = store;
  const [row] = here.gateway.gateway.catalog.replicas.list();
  const report = (event: string): void => void reports.push(event);
  stores = new ReplicaStores({
    replica: () => ({ ...row!, id: replica, url }),
    open: async () => store,
    monotonicMs: () => performance.now(),
    report,
  });
  const { packs } = here.vault.store;
  const now = (): Date => new Date();
  copies = new PackCopies({
    vault: here.vault.id,
    packs,
    places: here.elsewhere.places,
    stores,
    now,
    report,
  });
  for (const pack of here.packs()) {
    await store.putIfAbsent(packKey(here.vault.id, pack.name!), sourceOf(readFileSync(fileOf(pack))));
    here.elsewhere.places.put(pack.ordinal, replica, { listed: true, proof: "none", provenMs: 0 });
  }
});
afterEach(async () => {
  await stores.close();
  await far.remove();
  await here.remove();
});

const fileOf = (pack: PackRow): string => closedPackPath(here.directory, pack.name!);
const farFile = (pack: PackRow): string =>
  join(far.gateway.peers.folderPath(peer.id), packKey(here.vault.id, pack.name!));
const place = (pack: PackRow) => here.elsewhere.places.get(pack.ordinal, replica);

async function* local(pack: PackRow): AsyncGenerator<Uint8Array> {
  yield readFileSync(fileOf(pack));
}
const prove = (pack: PackRow): Promise<void> => copies.prove(pack, replica, () => local(pack));

test("a copy that is there is proven without a download", async () => {
  const before = store.usage().receivedBytes;
  for (const pack of here.packs()) {
    await prove(pack);
    expect(place(pack)).toMatchObject({ listed: true, proof: "hashed" });
  }
  expect(store.usage().receivedBytes - before).toBeLessThan(20_000);
  expect(reports).toEqual([]);
});

test("one that was altered or dropped there no longer counts", async () => {
  const [altered, dropped] = here.packs();
  const bytes = readFileSync(farFile(altered!));
  bytes[bytes.length >>> 1]! ^= 1;
  writeFileSync(farFile(altered!), bytes);
  rmSync(farFile(dropped!));
  for (const pack of [altered!, dropped!]) {
    await expect(prove(pack)).rejects.toMatchObject({ code: ErrorCode.replicaDamaged });
    expect(place(pack)).toBeUndefined();
  }
  expect(reports).toEqual(["replica-copy-wrong", "replica-copy-wrong"]);
});

test("what is damaged here is not blamed on the far end", async () => {
  const [pack] = here.packs();
  const bytes = readFileSync(fileOf(pack!));
  bytes[1000]! ^= 1;
  writeFileSync(fileOf(pack!), bytes);
  await expect(prove(pack!)).rejects.toMatchObject({ code: ErrorCode.chunkDamaged });
  expect(place(pack!)).toMatchObject({ listed: true, proof: "none" });
  expect(reports).toEqual([]);
});
