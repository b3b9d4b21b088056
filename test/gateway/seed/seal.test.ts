// Sealing a box whose disk is not as it should be, and one that is stopped.

import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { PackRow } from "../../../gateway/index/packTable.ts";
import { manifestPath } from "../../../gateway/seed/seal/sealBox.ts";
import { VerifiedPacks } from "../../../gateway/seed/seal/verifiedPacks.ts";
import { closedPackPath } from "../../../gateway/store/packPaths.ts";
import type { VaultStore } from "../../../gateway/store/vaultStore.ts";
import { claimedManifest } from "../../../vault/seed/manifest.ts";
import { boxOf, commitOn, makeSite, removeSites, seal, unwatched } from "./boxFixture.ts";

afterEach(removeSites);

test("a damaged pack is left off and named, with the snapshots that need it; its chunks are sent again", async () => {
  const site = await makeSite();
  const { datacentre, device } = site;
  const box = await boxOf(site);
  const client = box.client(device.token);
  const sound = await commitOn(client, device, "sound");
  const vault = await box.gateway.vault(device.vault);
  await vault.store.closeOpenPacks();
  const hurt = await commitOn(client, device, "hurt");
  await vault.store.closeOpenPacks();
  const pack = [...vault.store.packs.all()].filter(({ kind }) => kind === "data").at(-1)!;
  const path = closedPackPath(box.gateway.vaultDirectory(device.vault), pack.name!);
  const bytes = readFileSync(path);
  bytes[bytes.length - 100]! ^= 1;
  writeFileSync(path, bytes);
  const report = await seal(box);
  expect(report.damaged).toMatchObject([{ pack: Buffer.from(pack.name!).toString("hex") }]);
  expect(report.hurt).toEqual([{ id: hurt.snapshot, device: "front-desk", item: "hurt" }]);
  await box.administration.seed.send(unwatched);
  const here = await datacentre.gateway.vault(device.vault);
  const asked = Buffer.concat([...sound.chunks, ...hurt.chunks]);
  expect(here.store.promised.have(device.group, asked)).toEqual([true, true, false, false]);
  // The snapshot is there all the same, and the item goes on from it.
  expect(here.catalog.snapshot(hurt.snapshot)).toBeDefined();
});

test("a seal that was stopped goes on behind what it has read", async () => {
  const site = await makeSite();
  const { device } = site;
  const box = await boxOf(site);
  for (let n = 0; n < 4; n++) await commitOn(box.client(device.token), device, `item ${n}`);
  const stop = new AbortController();
  let packs = 0;
  const onProgress = (): void => {
    if (++packs === 2) stop.abort();
  };
  const stopped = box.administration.seed.seal(
    { by: "tester", dryRun: false },
    { onProgress, signal: stop.signal },
  );
  await expect(stopped).rejects.toMatchObject({ code: "cancelled" });
  // What was read is not opened again: were it, this would be found.
  const vault = await box.gateway.vault(device.vault);
  const [first] = [...vault.store.packs.all()];
  const path = closedPackPath(box.gateway.vaultDirectory(device.vault), first!.name!);
  const bytes = readFileSync(path);
  writeFileSync(path, Buffer.alloc(bytes.length));
  expect(await seal(box)).toMatchObject({ seal: 1, damaged: [], snapshots: 4 });
  expect(claimedManifest(readFileSync(manifestPath(box.gateway.dataDir.path))).vaults[0]).toMatchObject({
    snapshots: 4,
  });
});

test("a box that is opened again goes on, and its next seal takes the place of the one before", async () => {
  const site = await makeSite();
  const { datacentre, device } = site;
  const box = await boxOf(site);
  const { seed } = box.administration;
  await expect(seed.reopen("tester", unwatched)).rejects.toMatchObject({ code: "usage" });
  const first = await commitOn(box.client(device.token), device, "files");
  await seal(box);
  await seed.send(unwatched);
  expect(await seed.reopen("tester", unwatched)).toEqual({ box: 1, seal: 1 });
  box.gateway.logger.level = "silent";
  // The datacentre sends the device to the box again, and knows what was promised.
  await expect(commitOn(device.client, device, "files")).rejects.toMatchObject({ code: "not-home" });
  // What it takes now could not come any more if it were imported as it was.
  const request = { sources: [box.gateway.dataDir.path], finish: false, dryRun: false };
  await expect(datacentre.administration.imports.run(request, unwatched)).rejects.toMatchObject({
    code: "sequence-conflict",
  });
  const second = await commitOn(box.client(device.token), device, "files");
  const report = await seal(box);
  expect(report).toMatchObject({ seal: 2, snapshots: 2, chunks: 6 });
  await seed.send(unwatched);
  const vault = await datacentre.gateway.vault(device.vault);
  expect(vault.catalog.items()).toMatchObject([{ name: "files", sequence: 2, head: second.snapshot }]);
  expect(vault.catalog.snapshot(first.snapshot)).toBeDefined();
  const status = await datacentre.administration.seed.status(1);
  expect(status.boxes).toMatchObject([{ state: "sealed", seal: 2, promisedChunks: 6, pendingSnapshots: 2 }]);
  expect((await seed.custody()).entries.map(({ event }) => event)).toEqual([
    "prepared",
    "sealed",
    "reopened",
    "sealed",
  ]);
  datacentre.gateway.catalog.boxes.update(1, (row) => ({ ...row, state: "importing" }));
  await expect(seed.reopen("tester", unwatched)).rejects.toMatchObject({ code: "sequence-conflict" });
  await expect(commitOn(box.client(device.token), device, "files")).rejects.toMatchObject({
    code: "not-home",
  });
});

test("a second disk takes packs; what is there alone is read from there when the box is sealed", async () => {
  const site = await makeSite();
  const { device, scratch } = site;
  const box = await boxOf(site);
  box.gateway.logger.level = "silent";
  const { seed, replicas, evict } = box.administration;
  for (let n = 0; n < 3; n++) await commitOn(box.client(device.token), device, `item ${n}`);
  const disk = join(scratch, "disk-2");
  mkdirSync(disk);
  expect(await seed.extend({ disk, by: "tester" })).toEqual({ replica: "disk-2" });
  expect(await seed.extend({ disk, by: "tester" })).toEqual({ replica: "disk-2" });
  box.gateway.logger.level = "silent";
  expect(box.gateway.dataDir.settings).toMatchObject({ evictAbovePercent: 85, name: "box 1" });
  await replicas.run({ name: "disk-2", takeOver: false }, unwatched);
  const vault = await box.gateway.vault(device.vault);
  const before = [...vault.store.packs.all()];
  const { evictedPacks } = await evict({ keepBytes: 0, dryRun: false }, unwatched);
  expect(evictedPacks).toBeGreaterThanOrEqual(3);
  const gone = [...vault.store.packs.all()].filter(({ state }) => state === "evicted");
  const [bad] = gone;
  const name = Buffer.from(bad!.name!).toString("hex");
  const path = join(disk, "vaults", device.vault, "packs", name.slice(0, 2), name);
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1]! ^= 1;
  chmodSync(path, 0o600);
  writeFileSync(path, bytes);
  const report = await seal(box);
  expect(report.damaged.map(({ pack }) => pack)).toEqual([name]);
  expect(report).toMatchObject({ packs: [...vault.store.packs.all()].length - 1, snapshots: 3 });
  expect(report.hurt).toHaveLength(1);
  // What left the first disk while the seal went through its packs is looked for where it is now.
  const { store } = vault;
  const verified = new VerifiedPacks({
    environment: store.environment,
    packs: { all: () => before, get: (ordinal: number) => store.packs.get(ordinal) },
    readEvictedPack: (pack: PackRow, first: number, last: number) => store.readEvictedPack(pack, first, last),
  } as unknown as VaultStore);
  const directory = box.gateway.vaultDirectory(device.vault);
  const { signal } = unwatched;
  const onPack = (): void => undefined;
  const found = await verified.verify({ vault: vault.id, directory, seal: 0, signal, onPack });
  expect(found.map(({ pack }) => pack)).toEqual([name]);
  await expect(seed.extend({ disk, by: "tester" })).rejects.toMatchObject({ code: "usage" });
});

test("sending that was stopped goes on with what is not there yet", async () => {
  const site = await makeSite();
  const box = await boxOf(site);
  await commitOn(box.client(site.device.token), site.device, "files");
  await seal(box);
  const { lists } = claimedManifest(readFileSync(manifestPath(box.gateway.dataDir.path))).vaults[0]!;
  const total = Object.values(lists).reduce((sum, { bytes }) => sum + bytes, 0);
  const stop = new AbortController();
  let sent = 0;
  const onProgress = ({ bytes }: { bytes: number }): void => {
    if (sent > 0) stop.abort();
    sent = bytes;
  };
  const { seed } = box.administration;
  await expect(seed.send({ onProgress, signal: stop.signal })).rejects.toMatchObject({ code: "cancelled" });
  expect(sent).toBeGreaterThan(0);
  expect(sent).toBeLessThan(total);
  expect((await seed.status()).onBoard).toMatchObject({ sealed: true, delivered: false });
  expect(await seed.send(unwatched)).toMatchObject({ sentBytes: total - sent });
  expect((await seed.status()).onBoard).toMatchObject({ delivered: true });
});
