// What holds packs back that could go ahead of their snapshots, and what bounds those that went.

import { linkSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Replica } from "../../../../gateway/catalog/replicas.ts";
import { PackPlaces } from "../../../../gateway/index/packPlaces.ts";
import { packKey } from "../../../../gateway/replica/keys.ts";
import { closedPackPath } from "../../../../gateway/store/packPaths.ts";
import { seededId } from "../../../vault/seeded.ts";
import { ReplicatedGateway } from "./replicatedGateway.ts";
import { until, WatchedAhead } from "./watchedAhead.ts";
import { watchedStore } from "./watchedStore.ts";

let site: ReplicatedGateway;
let watch: WatchedAhead;

beforeEach(async () => {
  site = await ReplicatedGateway.create();
  watch = new WatchedAhead(site);
});
afterEach(async () => {
  await site.remove();
});

test("a replica with times only is left alone until its time", async () => {
  const replica = await site.addReplica("usb", { schedule: "only 02:00" });
  await watch.start();
  const { commit } = await site.beginBackUp(40);
  await watch.closedHere();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect([watch.puts, watch.heads]).toEqual([[], []]);
  const id = await commit();
  expect(await site.run(replica)).toMatchObject({ outcome: "done", snapshots: 1 });
  expect(await site.receipt(replica, id)).toBeDefined();
});

test("every byte that goes ahead waits for the replica's bandwidth", async () => {
  const replica = await site.addReplica("usb", { bandwidth: "100MiB/s" });
  let asked = 0;
  const replication = await site.through((store) => ({
    ...watchedStore(store, watch.note),
    putIfAbsent: (key, source, options = {}) => {
      if (!key.includes("/packs/")) return store.putIfAbsent(key, source, options);
      const throttle = (bytes: number): Promise<void> => {
        asked += bytes;
        return options.throttle?.(bytes) ?? Promise.reject(new Error("no throttle"));
      };
      return store.putIfAbsent(key, source, { ...options, throttle });
    },
  }));
  replication.start();
  await site.beginBackUp(40);
  await watch.sentAhead(replica);
  const { store } = await site.vault();
  const bytes = [...store.packs.all()].reduce(
    (sum, pack) => sum + (pack.name === undefined ? 0 : pack.bytes),
    0,
  );
  expect(asked).toBe(bytes);
});

test("a writer that was taken over from sends nothing ahead", async () => {
  const replica = await site.addReplica("usb");
  await site.backUp(5);
  await site.run(replica);
  const twin = await ReplicatedGateway.twinOf(site);
  try {
    const [theirs] = twin.fixture.gateway.catalog.replicas.list() as [Replica];
    twin.fixture.gateway.catalog.replicas.remove(theirs.id);
    twin.fixture.gateway.catalog.replicas.add({ ...theirs, writer: "ab".repeat(16) });
    await twin.backUp(1);
    expect(await twin.run(theirs, { takeOver: true })).toMatchObject({ outcome: "done" });
    const before = watch.filesThere(replica);
    await watch.start();
    await site.beginBackUp(40);
    await until(async () => (await site.status(replica)).state === "fenced");
    // Fenced it stays, whatever is closed.
    await site.beginBackUp(40);
    await watch.closedHere();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(watch.puts).toEqual([]);
    expect(watch.filesThere(replica)).toEqual(before);
    expect(await site.status(replica)).toMatchObject({
      state: "fenced",
      failure: { code: "replica-fenced" },
    });
  } finally {
    await twin.remove();
  }
});

test("a pack that is damaged here does not go ahead, and is told when its snapshot is to be listed", async () => {
  const replica = await site.addReplica("usb");
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const replication = await site.through((store) =>
    watchedStore(store, ({ key }) => (key.includes("/root/") ? held : undefined)),
  );
  replication.start();
  // The first look at the chain waits: meanwhile a pack is damaged.
  const { commit } = await site.beginBackUp(40);
  await watch.closedHere();
  const [name] = await site.localPacks();
  const path = closedPackPath(site.fixture.gateway.vaultDirectory(site.vaultId), Buffer.from(name!, "hex"));
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(path, bytes);
  release();
  await commit();
  await until(async () => (await site.status(replica)).unsent.length > 0);
  expect(await site.status(replica)).toMatchObject({
    unsent: [{ pack: name, code: "chunk-damaged" }],
    pendingSnapshots: 1,
  });
  expect(watch.filesThere(replica)).not.toContain(packKey(site.vaultId, Buffer.from(name!, "hex")));
});

test("whole groups of packs are listed while the backup still runs, after a look at what was put before", async () => {
  await site.backUp(10, 1000);
  const { store } = await site.vault();
  await store.closeOpenPacks();
  const directory = site.fixture.gateway.vaultDirectory(site.vaultId);
  const model = [...store.packs.all()].find(({ kind }) => kind === "data")!;
  const replica = await site.addReplica("usb");
  let looked = 0;
  const replication = await site.through((opened) => {
    const watched = watchedStore(opened, watch.note);
    const head: typeof watched.head = async (key, signal) => {
      if (!key.includes("/packs/")) return watched.head(key, signal);
      looked++;
      return { bytes: model.bytes };
    };
    return { ...watched, head };
  });
  replication.start();
  await watch.empty(replica);
  // Links to one pack under made-up names, which count as put there: more of them than a group has.
  const places = new PackPlaces(store.environment);
  store.environment.write(() => {
    for (let i = 0; i < 1100; i++) {
      const name = seededId(`pack ${i}`);
      const ordinal = store.packs.create("data", model.nonce);
      store.packs.close(ordinal, { name, bytes: model.bytes, records: model.records });
      places.put(ordinal, replica.id, { listed: false, proof: "hashed", provenMs: 1 });
      const path = closedPackPath(directory, name);
      mkdirSync(dirname(path), { recursive: true });
      linkSync(closedPackPath(directory, model.name!), path);
    }
  });
  await site.beginBackUp(40);
  await until(async () => (await site.status(replica)).generation === 2);
  expect(looked).toBe(1100);
  const { pendingSnapshots, state } = await site.status(replica);
  expect([pendingSnapshots, state]).toEqual([0, "running"]);
});
