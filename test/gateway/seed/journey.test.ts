// A box from prepare to the datacentre's promises: real gateways, real databases, the real protocol.

import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { writeBundle } from "../../../gateway/seed/seal/bundle.ts";
import { manifestPath } from "../../../gateway/seed/seal/sealBox.ts";
import { fromHex } from "../../../vault/bytes.ts";
import { GatewayFixture } from "../gatewayFixture.ts";
import {
  boxKeyAt,
  boxOf,
  commitOn,
  makeSite,
  prepareRequest,
  removeSites,
  seal,
  unwatched,
} from "./boxFixture.ts";

afterEach(removeSites);

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

test("what a box took is promised at the datacentre, and backups go on there", async () => {
  const site = await makeSite();
  const { datacentre, device } = site;
  const first = await commitOn(device.client, device, "files");
  const box = await boxOf(site);
  // The devices are the box's: the datacentre refuses them with the record.
  await expect(commitOn(device.client, device, "files")).rejects.toMatchObject({ code: "not-home" });
  const atBox = box.client(device.token);
  const second = await commitOn(atBox, device, "files");
  const report = await seal(box);
  expect(report).toMatchObject({ box: 1, seal: 1, snapshots: 1, chunks: 3, damaged: [], hurt: [] });
  const sealed = readFileSync(manifestPath(box.gateway.dataDir.path));
  expect(report.manifest).toBe(createHash("sha256").update(sealed).digest("hex"));
  expect(report.code).toMatch(/^HFB-1-[0-9A-Z]{4}-[0-9A-Z]{4}$/);
  // From now on it takes nothing, and says where to.
  await expect(commitOn(atBox, device, "files")).rejects.toMatchObject({ code: "not-home" });
  const { sentBytes } = await box.administration.seed.send(unwatched);
  expect(sentBytes).toBeGreaterThan(0);
  // Again: nothing is sent of what is there.
  expect(await box.administration.seed.send(unwatched)).toMatchObject({ sentBytes: 0 });
  const status = await datacentre.administration.seed.status(1);
  expect(status.boxes).toMatchObject([
    { number: 1, state: "sealed", seal: 1, code: report.code, promisedChunks: 3, pendingSnapshots: 1 },
  ]);
  const vault = await datacentre.gateway.vault(device.vault);
  expect(vault.catalog.items()).toMatchObject([{ sequence: 2, head: second.snapshot }]);
  expect(vault.catalog.waiting.boxes(second.snapshot)).toEqual([1]);
  expect(vault.catalog.waiting.boxes(first.snapshot)).toBeUndefined();
  // An increment that rests on what is on its way.
  const third = await commitOn(device.client, device, "files");
  expect(vault.catalog.items()).toMatchObject([{ sequence: 3, head: third.snapshot }]);
  const asked = Buffer.concat([...second.chunks, randomBytes(32)]);
  expect(vault.store.promised.have(device.group, asked)).toEqual([true, true, false]);
});

test("without a line: by a file, once", async () => {
  const site = await makeSite();
  const box = await boxOf(site);
  await commitOn(box.client(site.device.token), site.device, "files");
  await seal(box);
  const file = join(site.scratch, "box.hfb");
  await writeBundle(box.gateway.dataDir.path, file);
  const { seed } = site.datacentre.administration;
  expect(await seed.promise(file, unwatched)).toMatchObject({
    accepted: { box: 1, seal: 1, chunks: 3, snapshots: 1, forked: 0 },
  });
  expect(await seed.promise(file, unwatched)).toEqual({ accepted: null });
  const bytes = readFileSync(file);
  writeFileSync(file, bytes.subarray(0, 300));
  await expect(seed.promise(file, unwatched)).rejects.toMatchObject({ code: "truncated" });
});

test("nothing on a box's disk tells who it is for, before, while and after it runs", async () => {
  const site = await makeSite();
  const { datacentre, device } = site;
  await commitOn(device.client, device, "customer-files");
  const directory = join(site.scratch, "box");
  const box = await boxOf(site);
  const boxKey = await boxKeyAt(datacentre.gateway, directory);
  await commitOn(box.client(device.token), device, "customer-files");
  const identity = box.gateway.dataDir.box!;
  const account = datacentre.gateway.catalog.accounts.list()[0]!;
  const { tokenHash } = datacentre.gateway.catalog.devices.get(device.id)!;
  const row = datacentre.gateway.catalog.boxes.get(1)!;
  const { metadataKey } = datacentre.gateway.catalog.vaults.list()[0]!;
  const secrets = [
    ...["acme", "front-desk", "customer-files", device.token, tokenHash, account.loginHash],
    ...[identity.secrets.token, row.tokenHash, identity.gatewaySecret, metadataKey, device.account.name],
    ...["BEGIN PRIVATE KEY", "BEGIN CERTIFICATE", datacentre.listening.url, "127.0.0.1:9"],
    ...identity.secrets.tls.key.split("\n").filter((line) => line.length > 40),
    ...Object.values(identity.secrets.recalls),
  ];
  const needles: Buffer[] = secrets.flatMap((secret) => {
    const forms: Buffer[] = [Buffer.from(secret)];
    if (/^[0-9a-f]{64}$/.test(secret)) forms.push(fromHex(secret, 32));
    if (/^[A-Za-z0-9+/]{43}=$/.test(secret)) forms.push(Buffer.from(secret, "base64"));
    return forms;
  });
  needles.push(boxKey, Buffer.from(boxKey.toString("base64")), Buffer.from(boxKey.toString("hex")));
  const search = (): void => {
    for (const file of filesBelow(directory)) {
      const bytes = readFileSync(file);
      for (const needle of needles) {
        expect(bytes.includes(needle) ? `${file} holds ${needle.toString("latin1")}` : "").toBe("");
      }
    }
  };
  search();
  await seal(box);
  search();
  // The search finds what is there: in the datacentre's own catalog all of it is.
  const catalog = readFileSync(join(datacentre.path, "catalog", "data.mdb"));
  for (const told of ["acme", "front-desk", tokenHash]) expect(catalog.includes(told)).toBe(true);
  for (const file of filesBelow(directory)) expect(statSync(file).mode & 0o077).toBe(0);
});

test("forged, foreign and old manifests count for nothing", async () => {
  const site = await makeSite();
  const { datacentre, device, scratch } = site;
  const box = await boxOf(site);
  const row = () => datacentre.gateway.catalog.boxes.get(1)!;
  await commitOn(box.client(device.token), device, "files");
  await seal(box);
  const bytes = readFileSync(manifestPath(box.gateway.dataDir.path));
  const { seals } = datacentre.gateway;
  const forged = Buffer.from(bytes.toString().replace('"packs":2', '"packs":3'));
  await expect(seals.submit(row(), forged, 1000)).rejects.toMatchObject({ code: "seal-invalid" });
  // Another datacentre, and another box of this one, have other signers.
  const other = await makeSite();
  const otherBox = await boxOf(other);
  await commitOn(otherBox.client(other.device.token), other.device, "files");
  await seal(otherBox);
  const foreign = readFileSync(manifestPath(otherBox.gateway.dataDir.path));
  await expect(seals.submit(row(), foreign, 1000)).rejects.toMatchObject({ code: "seal-invalid" });
  const file = join(scratch, "foreign.hfb");
  await writeBundle(otherBox.gateway.dataDir.path, file);
  const { seed } = datacentre.administration;
  await expect(seed.promise(file, unwatched)).rejects.toMatchObject({ code: "seal-invalid" });
  // Signed by the right key, for a datacentre that this one is not.
  const strange = { ...row(), signer: other.datacentre.gateway.catalog.boxes.get(1)!.signer };
  await expect(seals.submit(strange, foreign, 1000)).rejects.toMatchObject({ code: "seal-invalid" });
  datacentre.gateway.catalog.boxes.update(1, () => strange);
  await expect(seals.submit(strange, foreign, 1000)).rejects.toMatchObject({ code: "forbidden" });
  expect((await seed.status(1)).boxes).toMatchObject([{ state: "prepared", seal: 0, promisedChunks: 0 }]);
  // An older seal, and another manifest of the same number.
  for (const last of [2, 1]) {
    const seal = { seal: last, manifest: "0".repeat(64), time: new Date().toISOString() };
    datacentre.gateway.catalog.boxes.update(1, (now) => ({ ...now, seal, signer: claimedSigner(bytes) }));
    await expect(seals.submit(row(), bytes, 1000)).rejects.toMatchObject({ code: "sequence-conflict" });
  }
});

function claimedSigner(bytes: Buffer): string {
  return (JSON.parse(bytes.toString().split("\n")[0]!) as { signer: string }).signer;
}

/** A datacentre, and a box of one snapshot that is sealed and has not sent its manifest. */
async function sealedSite() {
  const site = await makeSite();
  const { datacentre, device } = site;
  const box = await boxOf(site);
  await commitOn(box.client(device.token), device, "files");
  await seal(box);
  const { path } = box.gateway.dataDir;
  const bytes = readFileSync(manifestPath(path));
  return { datacentre, device, box, path, bytes, row: datacentre.gateway.catalog.boxes.get(1)! };
}

test("parts of a list: in order, no longer than declared, and whole only as what was declared", async () => {
  const { datacentre, device, path, bytes, row } = await sealedSite();
  const { seals } = datacentre.gateway;
  const place = { seal: 1, vault: device.vault, list: "packs", offset: 0 } as const;
  await expect(seals.part(row, place, Buffer.alloc(1))).rejects.toMatchObject({ code: "not-found" });
  const { missing } = await seals.submit(row, bytes, 1000);
  expect(missing).toHaveLength(5);
  const packs = readFileSync(join(path, "seed", device.vault, "packs"));
  expect(await seals.part(row, place, packs.subarray(0, 50))).toEqual({ bytes: 50 });
  await expect(seals.part(row, place, packs.subarray(0, 50))).rejects.toMatchObject({
    code: "sequence-conflict",
    detail: { offset: 50 },
  });
  const rest = { ...place, offset: 50 };
  await expect(seals.part(row, rest, Buffer.alloc(packs.length))).rejects.toMatchObject({
    code: "limit-exceeded",
  });
  await expect(seals.part(row, rest, Buffer.alloc(packs.length - 50))).rejects.toMatchObject({
    code: "corrupt",
  });
  const again = await seals.submit(row, bytes, 1000);
  expect(again.missing.find(({ list }) => list === "packs")).toMatchObject({ have: 0 });
  expect(await seals.part(row, place, packs)).toEqual({ bytes: packs.length });
  expect((await seals.submit(row, bytes, 1000)).missing).toHaveLength(4);
});

test("what a stop left of lists is made right: all bytes without the name, too many, a name with other bytes", async () => {
  const { datacentre, device, box, path, bytes, row } = await sealedSite();
  const { missing } = await datacentre.gateway.seals.submit(row, bytes, 1000);
  const folder = join(datacentre.path, "seed", "1", "1", device.vault);
  const onBoard = (list: string): Buffer => readFileSync(join(path, "seed", device.vault, list));
  writeFileSync(join(folder, "packs.part"), onBoard("packs"));
  writeFileSync(join(folder, "keys.json.part"), Buffer.concat([onBoard("keys.json"), Buffer.alloc(1)]));
  writeFileSync(join(folder, "chunks"), Buffer.alloc(onBoard("chunks").length));
  const total = missing.reduce((sum, each) => sum + each.bytes, 0);
  const sent = await box.administration.seed.send(unwatched);
  expect(sent).toMatchObject({ sentBytes: total - onBoard("packs").length });
  expect(datacentre.gateway.catalog.boxes.get(1)).toMatchObject({ state: "sealed" });
});

test("two boxes of one account: the second one's snapshots are a fork that nobody writes to", async () => {
  const site = await makeSite();
  const { datacentre, device } = site;
  const one = await boxOf(site, "one");
  const { seed } = datacentre.administration;
  const { key: _key, ...asked } = prepareRequest(join(site.scratch, "two"), ["acme"]);
  // It is told that the first box loses the device.
  expect(await seed.prepare(asked)).toMatchObject({
    box: null,
    accounts: [{ name: "acme", devices: [{ name: "front-desk", items: 0 }], homesNow: ["box 1"] }],
  });
  const two = await boxOf(site, "two");
  const first = await commitOn(one.client(device.token), device, "files");
  const lost = await commitOn(two.client(device.token), device, "files");
  const later = await commitOn(two.client(device.token), device, "files");
  for (const box of [one, two]) {
    await seal(box);
    await box.administration.seed.send(unwatched);
  }
  const vault = await datacentre.gateway.vault(device.vault);
  const items = vault.catalog.items().sort((a, b) => (a.name < b.name ? -1 : 1));
  expect(items).toMatchObject([
    { name: "files", sequence: 1, head: first.snapshot, device: device.id },
    { name: "files (box 2)", sequence: 2, head: later.snapshot, device: device.id },
  ]);
  expect(vault.catalog.snapshot(lost.snapshot)).toMatchObject({ item: items[1]!.id, sequence: 1 });
  await expect(device.client.putItem("files (box 2)")).rejects.toMatchObject({ code: "usage" });
});

test("a device that was enrolled at the box is at home at the datacentre afterwards, with its keys", async () => {
  const site = await makeSite();
  const { datacentre, device } = site;
  const box = await boxOf(site);
  const atBox = Object.create(datacentre) as GatewayFixture;
  Object.assign(atBox, { client: (token?: string) => box.client(token) });
  const fresh = await GatewayFixture.prototype.device.call(atBox, device.account, "back-office", true);
  expect(fresh.group).toBeGreaterThanOrEqual(65_536);
  await commitOn(fresh.client, fresh, "files");
  await seal(box);
  await box.administration.seed.send(unwatched);
  expect(datacentre.gateway.catalog.devices.byName(device.account.id, "back-office")).toMatchObject({
    id: fresh.id,
    group: fresh.group,
  });
  const vault = await datacentre.gateway.vault(device.vault);
  const wraps = vault.keys.wraps.filter((wrap) => wrap.kind === "device").map((wrap) => wrap.device);
  expect(wraps.sort()).toEqual([device.id, fresh.id].sort());
  await commitOn(datacentre.client(fresh.token), fresh, "files");
});
