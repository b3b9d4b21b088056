// What a manifest may bring to its datacentre, and what a box that its passphrase's holder turned may not.

import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { learntDirectory } from "../../../agent/home/followHome.ts";
import { tokenHash } from "../../../gateway/auth/tokens.ts";
import { boxSigningKey, manifestPath } from "../../../gateway/seed/seal/sealBox.ts";
import type { GatewayClient } from "../../../ingest/client/gatewayClient.ts";
import { toHex } from "../../../vault/bytes.ts";
import { generateKeyPair } from "../../../vault/keys/box.ts";
import { parseKeysDocument } from "../../../vault/keys/keysDocument.ts";
import { makeDeviceWrap } from "../../../vault/keys/wraps.ts";
import { limits } from "../../../vault/limits.ts";
import { claimedManifest, signSeedManifest } from "../../../vault/seed/manifest.ts";
import { seededBytes } from "../../vault/seeded.ts";
import { dataRecord, pageRecord, snapshotOf, type TestDevice, type TestRecord } from "../gatewayFixture.ts";
import { boxOf, commitOn, makeSite, type OpenBox, removeSites, seal, unwatched } from "./boxFixture.ts";

afterEach(removeSites);

/** Enrols a device at a box. */
async function enrolAt(box: OpenBox, { account }: TestDevice, name: string): Promise<TestDevice> {
  const anonymous = box.client();
  const person = anonymous.withToken((await anonymous.login(account.name, account.l)).token);
  const document = parseKeysDocument(await person.keysDocument(account.vault));
  const pair = generateKeyPair();
  const id = toHex(randomBytes(16));
  const wrap = makeDeviceWrap(document, account.opened.e, id, pair.publicKey);
  const answer = await person.enroll({
    ...{ id, name, publicKey: wrap.public, isolated: false },
    wraps: { [account.vault]: { generation: document.generation, box: wrap.box } },
  });
  return { ...answer, client: box.client(answer.token), account };
}

async function commitRecords(
  client: GatewayClient,
  device: TestDevice,
  name: string,
  records: readonly TestRecord[],
): Promise<string> {
  const item = await client.putItem(name);
  const { session } = await client.startSession({ vault: device.vault, item: item.id, highestSequence: 0 });
  for (const { record } of records) await client.records(session, [record]);
  const object = snapshotOf(device, item, item.sequence + 1, item.head, records.at(-1)!.id);
  return (await client.commit(session, object.bytes)).snapshot;
}

test("what a device backed up that was revoked at the box comes along, and the device stays revoked", async () => {
  const site = await makeSite();
  const { datacentre, device } = site;
  const box = await boxOf(site);
  const [stolen, lent] = [await enrolAt(box, device, "stolen"), await enrolAt(box, device, "lent")];
  for (const each of [stolen, lent]) await commitOn(each.client, each, "files");
  await box.administration.revokeDevice("acme", "stolen");
  await seal(box);
  await box.administration.seed.send(unwatched);
  const vault = await datacentre.gateway.vault(device.vault);
  expect(vault.catalog.items()).toHaveLength(2);
  const { devices } = datacentre.gateway.catalog;
  expect([devices.get(stolen.id)?.revoked, devices.get(lent.id)?.revoked]).toEqual([true, false]);
  await expect(datacentre.client(stolen.token).me()).rejects.toMatchObject({ code: "token-invalid" });
  // Revoked between two seals: what came with the first one is revoked here too.
  await box.administration.seed.reopen("tester", unwatched);
  box.gateway.logger.level = "silent";
  await box.administration.revokeDevice("acme", "lent");
  await seal(box);
  await box.administration.seed.send(unwatched);
  expect([devices.get(lent.id)?.revoked, devices.get(device.id)?.revoked]).toEqual([true, false]);
});

test("a snapshot that rests on what was found wrong here is not whole before the box brings it", async () => {
  const site = await makeSite();
  const { datacentre, device } = site;
  const chunk = dataRecord(device);
  const page = pageRecord(device, [chunk.id]);
  await commitRecords(device.client, device, "first", [chunk, page]);
  const box = await boxOf(site);
  const second = await commitRecords(box.client(device.token), device, "second", [chunk, page]);
  const { store, needs, catalog, waits } = await datacentre.gateway.vault(device.vault);
  expect(store.environment.write(() => needs.open(device.group, chunk.id, device.id))).toBeDefined();
  await seal(box);
  await box.administration.seed.send(unwatched);
  await waits.settle();
  expect(catalog.waiting.get(second)).toMatchObject([{ box: 0 }]);
  const sources = [box.gateway.dataDir.path];
  const report = await datacentre.administration.imports.run(
    { sources, finish: false, dryRun: false },
    unwatched,
  );
  expect(report).toMatchObject({ snapshots: 1, whole: 1, needs: 0 });
  expect(catalog.waiting.get(second)).toBeUndefined();
});

test("a device of a box does not take the token of another one", async () => {
  const site = await makeSite();
  const { datacentre, device } = site;
  const box = await boxOf(site);
  const token = tokenHash(device.token);
  const { ordinal: _ordinal, ...row } = box.gateway.catalog.devices.get(device.id)!;
  box.gateway.catalog.devices.add({ ...row, id: "ab".repeat(16), name: "invented" });
  await seal(box);
  await expect(box.administration.seed.send(unwatched)).rejects.toMatchObject({ code: "corrupt" });
  expect(datacentre.gateway.catalog.devices.byToken(token)?.id).toBe(device.id);
});

test("a box brings no more devices than a vault has room for the keys of", async () => {
  const site = await makeSite();
  const box = await boxOf(site);
  const { catalog } = box.gateway;
  const { devices } = catalog;
  const { ordinal: _ordinal, ...row } = devices.get(site.device.id)!;
  catalog.write(() => {
    for (let n = 0; n <= limits.wrapsMax; n++) {
      const own = { id: seededBytes(`device ${n}`, 16), token: seededBytes(`token ${n}`, 32) };
      devices.add({ ...row, name: `d${n}`, id: toHex(own.id), tokenHash: toHex(own.token) });
    }
  });
  await seal(box);
  await expect(box.administration.seed.send(unwatched)).rejects.toMatchObject({ code: "limit-exceeded" });
  expect(site.datacentre.gateway.catalog.devices.list()).toHaveLength(1);
});

test("a box brings no snapshots of devices that were not lent to it", async () => {
  const invented = `hfd_${"A".repeat(43)}`;
  const site = await makeSite();
  const { datacentre, device } = site;
  const other = await datacentre.device(device.account, "warehouse");
  const box = await boxOf(site, "box", ["acme"], { devices: ["front-desk"] });
  // Who has the passphrase writes what he likes into the box's databases, and runs what he likes on it.
  const { ordinal: _ordinal, ...row } = datacentre.gateway.catalog.devices.get(other.id)!;
  box.gateway.catalog.devices.add({ ...row, tokenHash: toHex(tokenHash(invented)) });
  Object.assign(box.gateway.homes, { requireHere: () => undefined });
  await commitOn(box.client(invented), other, "files");
  await seal(box);
  await expect(box.administration.seed.send(unwatched)).rejects.toMatchObject({ code: "corrupt" });
  const vault = await datacentre.gateway.vault(device.vault);
  expect(vault.catalog.items()).toEqual([]);
});

test("who is enrolled at a box learns where its directory is, and never takes the box for it", async () => {
  const site = await makeSite();
  const { datacentre } = site;
  for (const [name, urls] of [
    ["told", [datacentre.listening.url]],
    ["untold", []],
  ] as const) {
    const box = await boxOf(site, name, ["acme"], { datacentreUrls: urls });
    const { fingerprint } = box.gateway.dataDir;
    expect(await learntDirectory(box.client(), { url: box.listening.url, fingerprint })).toEqual({
      ...datacentre.gateway.homes.directory(),
      urls,
    });
  }
  const { url } = datacentre.listening;
  const { fingerprint } = datacentre;
  expect(await learntDirectory(datacentre.client(), { url, fingerprint })).toMatchObject({ urls: [url] });
});

test("a box that was to be opened again, and stayed sealed, gives its devices back", async () => {
  const site = await makeSite();
  const { datacentre, device } = site;
  const box = await boxOf(site);
  await commitOn(box.client(device.token), device, "files");
  await seal(box);
  await box.administration.seed.send(unwatched);
  // The box stopped behind the datacentre's answer: it is sealed still.
  await datacentre.gateway.seals.reopen(datacentre.gateway.catalog.boxes.get(1)!, 1);
  await expect(commitOn(device.client, device, "files")).rejects.toMatchObject({ code: "not-home" });
  await box.administration.seed.send(unwatched);
  await commitOn(device.client, device, "files");
  expect(datacentre.gateway.catalog.boxes.get(1)).toMatchObject({ state: "sealed", seal: { seal: 1 } });
});

test("a box is not opened again over a move of its devices", async () => {
  const site = await makeSite();
  const { datacentre, device } = site;
  const { homes, seals, catalog } = datacentre.gateway;
  const box = await boxOf(site);
  const account = device.account.id;
  // Never sealed, and its devices called back: whoever has it now does not get them by asking.
  await homes.move(account, null, homes.here());
  const refused = { code: "sequence-conflict" };
  await expect(seals.reopen(catalog.boxes.get(1)!, 0)).rejects.toMatchObject(refused);
  expect(homes.isHere(account, device.id)).toBe(true);
  await seal(box);
  await box.administration.seed.send(unwatched);
  await boxOf(site, "second", ["acme"], { devices: ["front-desk"] });
  await expect(box.administration.seed.reopen("tester", unwatched)).rejects.toMatchObject(refused);
  expect(homes.homesteads(account).devices).toMatchObject([{ home: { name: "box 2" } }]);
});

test("a box to restore from promises nothing", async () => {
  const site = await makeSite();
  const { datacentre, device } = site;
  const box = await boxOf(site);
  await seal(box);
  datacentre.gateway.catalog.boxes.update(1, (row) => ({ ...row, kind: "restore" }));
  const { document } = box.gateway.dataDir.box!;
  const manifest = claimedManifest(readFileSync(manifestPath(box.gateway.dataDir.path)));
  const bytes = signSeedManifest({ ...manifest, kind: "restore" }, boxSigningKey(box.gateway.dataDir.box!));
  const row = datacentre.gateway.catalog.boxes.get(document.box)!;
  await expect(datacentre.gateway.seals.submit(row, bytes, 1000)).rejects.toMatchObject({
    code: "forbidden",
  });
  const vault = await datacentre.gateway.vault(device.vault);
  expect(vault.boxes.list()).toEqual([]);
});

test("a disk from elsewhere with a pipe, a folder or a mountain in the place of box.json is refused at once", async () => {
  const { datacentre, scratch } = await makeSite();
  const { imports } = datacentre.administration;
  for (const [name, code, make] of [
    ["pipe", "corrupt", (path: string) => execFileSync("mkfifo", [path])],
    ["folder", "corrupt", (path: string) => mkdirSync(path)],
    ["mountain", "limit-exceeded", (path: string) => truncateSync(writeEmpty(path), 2 ** 40)],
  ] as const) {
    const disk = join(scratch, name);
    mkdirSync(disk);
    make(join(disk, "box.json"));
    const request = { sources: [disk], finish: false, dryRun: false };
    await expect(imports.run(request, unwatched), name).rejects.toMatchObject({ code });
  }
});

function writeEmpty(path: string): string {
  writeFileSync(path, "");
  return path;
}
