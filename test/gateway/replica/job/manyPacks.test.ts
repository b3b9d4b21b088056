// Many packs (20,000; HOLDFAST_PACKS sets how many): a first replication in bounded memory, and a small one behind it that costs as little as on a new vault.
//
// The packs are links to one small pack under made-up names, and count as acknowledged by the replica already: what is tried is all the rest.

import { linkSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { PackPlaces } from "../../../../gateway/index/packPlaces.ts";
import { Manifest } from "../../../../gateway/replica/chain/manifest.ts";
import { openReplicaStore } from "../../../../gateway/replica/openStore.ts";
import { closedPackPath } from "../../../../gateway/store/packPaths.ts";
import { fromHex } from "../../../../vault/bytes.ts";
import { ManifestPageType } from "../../../../vault/magic.ts";
import { parseRoot, vaultRootKey } from "../../../../vault/replica/root.ts";
import { seededId } from "../../../vault/seeded.ts";
import { ReplicatedGateway } from "./replicatedGateway.ts";
import { watchedStore } from "./watchedStore.ts";

const count = Number(process.env.HOLDFAST_PACKS ?? 20_000);
const MiB = 2 ** 20;
/** Links of one file; file systems allow 65,000 and less. */
const linksMax = 30_000;

let site: ReplicatedGateway;

beforeEach(async () => {
  site = await ReplicatedGateway.create();
});
afterEach(async () => {
  await site.remove();
});

test(`memory and requests of ${count} packs`, async () => {
  const replica = await site.addReplica("usb");
  await site.backUp(10, 1000);
  const { store } = await site.vault();
  await store.closeOpenPacks();
  const directory = site.fixture.gateway.vaultDirectory(site.vaultId);
  const [model] = [...store.packs.all()].filter(({ kind }) => kind === "data");
  const { bytes, records, nonce } = model!;
  const places = new PackPlaces(store.environment);
  let file = closedPackPath(directory, model!.name!);
  const content = readFileSync(file);
  for (let at = 0; at < count; at += 1000) {
    store.environment.write(() => {
      for (let i = at; i < at + 1000; i++) {
        const name = seededId(`pack ${i}`);
        const ordinal = store.packs.create("data", nonce);
        store.packs.close(ordinal, { name, bytes, records });
        places.put(ordinal, replica.id, { listed: false, proof: "hashed", provenMs: 1 });
      }
    });
    for (let i = at; i < at + 1000; i++) {
      const path = closedPackPath(directory, seededId(`pack ${i}`));
      mkdirSync(dirname(path), { recursive: true });
      linkSync(file, path);
    }
    if (at % linksMax === linksMax - 1000) {
      file = `${directory}/model-${at}`;
      writeFileSync(file, content);
    }
  }

  let requests: Record<string, number> = {};
  let peak = 0;
  const sample = (): void => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    peak = Math.max(peak, heapUsed + arrayBuffers);
  };
  await site.through((opened) => {
    const watched = watchedStore(opened, ({ name }) => {
      requests[name] = (requests[name] ?? 0) + 1;
      sample();
    });
    // Packs that were put before and are not listed yet are looked for: these never were, and a run that was stopped leaves a group of them at most.
    const head: typeof watched.head = async (key, signal) =>
      key.includes("/packs/") ? { bytes } : watched.head(key, signal);
    return { ...watched, head };
  });
  global.gc?.();
  sample();
  const before = peak;
  const first = await site.run(replica);
  expect(first).toMatchObject({ outcome: "done", failure: null, snapshots: 1 });
  const grown = (peak - before) / MiB;
  console.log(
    `first: ${Math.round(grown)} MiB more at most, ${JSON.stringify(requests)}, ${first.seconds.toFixed(1)} s`,
  );
  expect(grown).toBeLessThan(256);
  expect(requests.list ?? 0).toBe(0);
  // Ten a group of 1,024, and those of the packs that were really sent.
  expect(Object.values(requests).reduce((sum, each) => sum + each, 0)).toBeLessThan(20 * (count / 1024));

  requests = {};
  await site.backUp(1, 1000);
  const second = await site.run(replica);
  expect(second).toMatchObject({ outcome: "done", packs: 2, snapshots: 1 });
  console.log(`second: ${JSON.stringify(requests)}, ${second.seconds.toFixed(2)} s`);
  expect(Object.values(requests).reduce((sum, each) => sum + each, 0)).toBeLessThan(40);

  const opened = await openReplicaStore(replica, { now: () => new Date() });
  const vault = fromHex(site.vaultId, 16);
  const key = vaultRootKey(Buffer.from(site.device.account.keys.metadataKey), vault);
  const name = `root/${String(second.generation).padStart(10, "0")}`;
  const root = parseRoot(
    readFileSync(`${site.folder("usb")}/vaults/${site.vaultId}/${name}`),
    { chain: "vault", id: site.vaultId, generation: second.generation },
    key,
  );
  const manifest = await Manifest.load(opened, site.vaultId, root);
  expect(manifest.packs).toBe([...store.packs.all()].filter((pack) => pack.name !== undefined).length);
  let inSegments = 0;
  let segments = 0;
  for await (const rows of manifest.rows(ManifestPageType.segments)) {
    segments += rows.length;
    for (const row of rows) inSegments += row.packs;
  }
  expect(inSegments).toBe(manifest.packs);
  expect(segments).toBeLessThanOrEqual(64 + count / 2048);
  await opened.close();
}, 600_000);
