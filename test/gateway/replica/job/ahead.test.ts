// Packs that go to a replica while a backup runs: before its commit, and what becomes of them without one.

import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Replica } from "../../../../gateway/catalog/replicas.ts";
import { PackPlaces } from "../../../../gateway/index/packPlaces.ts";
import { packKey } from "../../../../gateway/replica/keys.ts";
import { closedPackPath } from "../../../../gateway/store/packPaths.ts";
import { ErrorCode, HoldfastError } from "../../../../vault/errors.ts";
import { seededId } from "../../../vault/seeded.ts";
import { ReplicatedGateway } from "./replicatedGateway.ts";
import { type WatchedRequest, watchedStore } from "./watchedStore.ts";

let site: ReplicatedGateway;
/** Keys of packs that were put, and of those that were read or looked for, in order. */
let puts: string[] = [];
let heads: string[] = [];

beforeEach(async () => {
  site = await ReplicatedGateway.create();
  puts = [];
  heads = [];
});
afterEach(async () => {
  await site.remove();
});

const isOfPack = ({ key }: WatchedRequest): boolean => key.includes("/packs/");
const note = (request: WatchedRequest): void => {
  if (!isOfPack(request)) return;
  if (request.name === "put") puts.push(request.key);
  if (request.name === "head") heads.push(request.key);
};

/** Replicates in the background; what is asked of the replica is noted. */
async function start(lingerMs = 60_000, before: (request: WatchedRequest) => void = () => undefined) {
  const replication = await site.through(
    (store) =>
      watchedStore(store, (request) => {
        note(request);
        before(request);
      }),
    { lingerMs },
  );
  replication.start();
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Waits until the vault is there, empty as it is: what comes then are packs alone. */
async function empty(replica: Replica): Promise<void> {
  await until(async () => {
    const { state, generation } = await site.status(replica);
    return state === "idle" && generation === 1;
  });
}

/** Packs that are closed here, as keys there. */
async function closedHere(): Promise<string[]> {
  await (await site.vault()).store.settled();
  return (await site.localPacks()).map((name) => packKey(site.vaultId, Buffer.from(name, "hex")));
}

/** Files of packs in the replica's folder, as keys. */
function filesThere(replica: Replica): string[] {
  const folder = join(site.folder(replica.name), "vaults", site.vaultId, "packs");
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /^[0-9a-f]{64}$/.test(entry.name))
    .map(({ name }) => packKey(site.vaultId, Buffer.from(name, "hex")))
    .sort();
}

/** Waits until all packs that are closed here went. */
async function sentAhead(replica: Replica): Promise<string[]> {
  const closed = await closedHere();
  await until(async () => (await site.status(replica)).pendingPacks === 0);
  return closed;
}

async function offsite(replica: Replica, snapshot: string): Promise<void> {
  await until(async () => (await site.receipt(replica, snapshot)) !== undefined);
}

test("packs are there before the commit; it lists them, and sends none again", async () => {
  const replica = await site.addReplica("usb");
  await start();
  await empty(replica);
  const { commit } = await site.beginBackUp(40);
  const ahead = await sentAhead(replica);
  expect(ahead.length).toBeGreaterThan(2);
  expect(filesThere(replica)).toEqual([...ahead].sort());
  expect(site.check(replica)!.packs).toEqual([]);
  await until(async () => (await site.status(replica)).progress?.packsLeft === 0);
  expect(await site.status(replica)).toMatchObject({
    state: "running",
    pendingSnapshots: 0,
    lagHours: null,
    progress: { packsDone: ahead.length, packsLeft: 0, bytesLeft: 0, etaSeconds: 0 },
  });
  const id = await commit();
  await offsite(replica, id);
  const there = site.check(replica)!;
  expect(there.snapshots).toEqual([id]);
  expect([...there.packs].sort()).toEqual(await site.localPacks());
  expect(there.root.generation).toBe(2);
  expect(puts.length).toBe(there.packs.length);
  expect(new Set(puts).size).toBe(puts.length);
  await until(async () => (await site.status(replica)).state === "idle");
});

test("backups side by side: each commit lists what is there, the other goes on", async () => {
  const replica = await site.addReplica("usb");
  await start();
  const device = await site.fixture.device(site.device.account, "desktop");
  const first = await site.beginBackUp(25);
  const [own, other] = [site.device, device];
  site.device = other;
  const second = await site.beginBackUp(25);
  site.device = own;
  await sentAhead(replica);
  const one = await first.commit();
  await offsite(replica, one);
  site.device = other;
  const two = await second.commit();
  await offsite(replica, two);
  site.device = own;
  expect([...site.check(replica)!.snapshots].sort()).toEqual([one, two].sort());
  expect(new Set(puts).size).toBe(puts.length);
});

test("a backup that ends without a commit: its packs are left there unlisted, and the next root lists them", async () => {
  const replica = await site.addReplica("usb");
  await start(1);
  await empty(replica);
  await site.beginBackUp(40);
  const ahead = await sentAhead(replica);
  await until(async () => (await site.status(replica)).state === "idle");
  expect(site.check(replica)!.packs).toEqual([]);
  const places = new PackPlaces((await site.vault()).store.environment);
  for (const { ordinal, name } of (await site.vault()).store.packs.all()) {
    if (name !== undefined) expect(places.get(ordinal, replica.id)).toMatchObject({ listed: false });
  }
  const { id } = await site.backUp(1);
  await offsite(replica, id);
  expect([...site.check(replica)!.packs].sort()).toEqual(await site.localPacks());
  expect(puts.filter((key) => ahead.includes(key))).toHaveLength(ahead.length);
});

test("after a restart nothing is sent again: what was put is looked for before a root lists it", async () => {
  const replica = await site.addReplica("usb");
  await start();
  await site.beginBackUp(40);
  const ahead = await sentAhead(replica);
  await site.through((store) => store);
  await site.fixture.stop();
  await site.restart();
  puts = [];
  const [gone] = ahead as [string];
  rmSync(join(site.folder("usb"), gone));
  await start();
  const { id } = await site.backUp(1);
  await offsite(replica, id);
  // One was taken away meanwhile: that alone goes again.
  expect(puts.filter((key) => ahead.includes(key))).toEqual([gone]);
  for (const key of ahead) expect(heads).toContain(key);
  expect([...site.check(replica)!.packs].sort()).toEqual(await site.localPacks());
});

test("a pack whose put was never answered is found there, and not sent again", async () => {
  const replica = await site.addReplica("usb");
  let lost = 1;
  const sent = new Map<string, number>();
  const replication = await site.through((store) => {
    const watched = watchedStore(
      store,
      () => undefined,
      (request) => {
        if (request.name !== "put" || !isOfPack(request) || lost-- <= 0) return;
        throw new HoldfastError(ErrorCode.replicaUnreachable, "the answer was lost");
      },
    );
    return {
      ...watched,
      putIfAbsent: async (key, source, options) => {
        const answer = await watched.putIfAbsent(key, source, options);
        if (answer.outcome === "created" && key.includes("/packs/")) sent.set(key, (sent.get(key) ?? 0) + 1);
        return answer;
      },
    };
  });
  replication.start();
  const { commit } = await site.beginBackUp(40);
  await sentAhead(replica);
  const id = await commit();
  await offsite(replica, id);
  expect([...sent.values()].every((times) => times === 1)).toBe(true);
  // The first was there already when it was put for the second time.
  expect(sent.size).toBe((await site.localPacks()).length - 1);
});

test("a replica with times only is left alone until its time", async () => {
  const replica = await site.addReplica("usb", { schedule: "only 02:00" });
  await start();
  const { commit } = await site.beginBackUp(40);
  await closedHere();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect([puts, heads]).toEqual([[], []]);
  const id = await commit();
  expect(await site.run(replica)).toMatchObject({ outcome: "done", snapshots: 1 });
  expect(await site.receipt(replica, id)).toBeDefined();
});

test("every byte that goes ahead waits for the replica's bandwidth", async () => {
  const replica = await site.addReplica("usb", { bandwidth: "100MiB/s" });
  let asked = 0;
  const replication = await site.through((store) => ({
    ...watchedStore(store, note),
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
  await sentAhead(replica);
  const { store } = await site.vault();
  const bytes = [...store.packs.all()].reduce(
    (sum, pack) => sum + (pack.name === undefined ? 0 : pack.bytes),
    0,
  );
  expect(asked).toBe(bytes);
});

test("who asks for a run while a backup is under way gets what is there listed", async () => {
  const replica = await site.addReplica("usb");
  await start();
  await empty(replica);
  const { commit } = await site.beginBackUp(40);
  const ahead = await sentAhead(replica);
  expect(await site.run(replica)).toMatchObject({ outcome: "done", snapshots: 0, generation: 2 });
  expect(
    site
      .check(replica)!
      .packs.map((name) => packKey(site.vaultId, Buffer.from(name, "hex")))
      .sort(),
  ).toEqual([...ahead].sort());
  const id = await commit();
  await offsite(replica, id);
  expect(site.check(replica)!.snapshots).toEqual([id]);
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
    const before = filesThere(replica);
    await start();
    await site.beginBackUp(40);
    await until(async () => (await site.status(replica)).state === "fenced");
    // Fenced it stays, whatever is closed.
    await site.beginBackUp(40);
    await closedHere();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(puts).toEqual([]);
    expect(filesThere(replica)).toEqual(before);
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
  await closedHere();
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
  expect(filesThere(replica)).not.toContain(packKey(site.vaultId, Buffer.from(name!, "hex")));
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
    const watched = watchedStore(opened, note);
    const head: typeof watched.head = async (key, signal) => {
      if (!key.includes("/packs/")) return watched.head(key, signal);
      looked++;
      return { bytes: model.bytes };
    };
    return { ...watched, head };
  });
  replication.start();
  await empty(replica);
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
