// Removing a replica: nothing relies on it any more from one moment on, whatever happens beside it.

import { randomBytes } from "node:crypto";
import { renameSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ReplicaAdministration } from "../../../../gateway/admin/replicaAdministration.ts";
import type { VaultElsewhere } from "../../../../gateway/cache/vaultElsewhere.ts";
import type { Replica } from "../../../../gateway/catalog/replicas.ts";
import { toHex } from "../../../../vault/bytes.ts";
import { ReplicatedGateway } from "./replicatedGateway.ts";

let site: ReplicatedGateway;
let replica: Replica;
let elsewhere: VaultElsewhere;

beforeEach(async () => {
  site = await ReplicatedGateway.create();
  await site.backUp(30);
  replica = await site.addReplica("usb");
  expect(await site.run(replica)).toMatchObject({ outcome: "done" });
  elsewhere = (await site.vault()).store.elsewhere!;
});
afterEach(async () => {
  await site.remove();
});

async function evictAll(): Promise<number[]> {
  const packs = [...(await site.vault()).store.packs.all()].filter(({ kind }) => kind === "data");
  for (const { ordinal } of packs) expect(await elsewhere.moves.evict(ordinal)).toEqual({ evicted: true });
  expect(packs.length).toBeGreaterThan(2);
  return packs.map(({ ordinal }) => ordinal);
}

test("snapshots and runs beside a removal bring nothing back of what is forgotten", async () => {
  const replication = await site.through((store) => store);
  replication.start();
  const packs = await evictAll();
  const { moves, places } = elsewhere;
  let runs: Promise<unknown> | undefined;
  const fetchBack = moves.fetchBack.bind(moves);
  // While the first pack comes back, somebody backs up and asks for a run.
  moves.fetchBack = async (pack, signal) => {
    runs ??= site.backUp(3).then(() => replication.run({ replica: replica.id }).catch(({ code }) => code));
    expect(await runs).toBe("busy");
    await fetchBack(pack, signal);
  };
  await replication.remove(replica.id);
  const { store } = await site.vault();
  expect(packs.map((pack) => store.packs.get(pack)?.state)).toEqual(packs.map(() => "closed"));
  for (const { ordinal } of store.packs.all()) expect(places.of(ordinal)).toEqual([]);
  expect(site.fixture.gateway.catalog.replicas.list()).toEqual([]);
});

test("a pack does not go on the strength of a replica that this gateway does not have", async () => {
  const [pack] = [...(await site.vault()).store.packs.all()].filter(({ kind }) => kind === "data");
  elsewhere.places.clear(replica.id);
  const place = { listed: true, proof: "hashed", provenMs: Date.now() } as const;
  elsewhere.places.put(pack!.ordinal, toHex(randomBytes(16)), place);
  expect(elsewhere.moves.needsProof(pack!.ordinal)).toBeUndefined();
  expect(await elsewhere.moves.evict(pack!.ordinal)).toEqual({ evicted: false, why: "not-replicated" });
});

test("a replica that is gone for good keeps its row until it is given up", async () => {
  const packs = await evictAll();
  renameSync(site.folder("usb"), site.folder("gone"));
  const { gateway } = site.fixture;
  const operations = new ReplicaAdministration(gateway);
  const watch = { onProgress: () => undefined, signal: new AbortController().signal };
  const remove = (abandon: boolean) => operations.remove({ name: "usb", abandon }, watch);
  await expect(remove(false)).rejects.toMatchObject({ code: "replica-unreachable" });
  expect(gateway.catalog.replicas.list()).toHaveLength(1);
  for (const pack of packs) expect(elsewhere.places.of(pack)).toHaveLength(1);
  expect(await remove(true)).toEqual({ fetchedPacks: 0 });
  expect(gateway.catalog.replicas.list()).toEqual([]);
});
