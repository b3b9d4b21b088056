// Packs that a signed manifest names and that are none inside: each is left as a whole, and the packs around it are taken.

import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { importVault, type VaultImport } from "../../../gateway/seed/import/importVault.ts";
import { PackIntake } from "../../../gateway/seed/import/packIntake.ts";
import { FolderSource } from "../../../gateway/seed/import/packSources.ts";
import { closedPackPath } from "../../../gateway/store/packPaths.ts";
import { packContents } from "../../../gateway/store/packRecords.ts";
import { toHex } from "../../../vault/bytes.ts";
import { PackKind, Width } from "../../../vault/magic.ts";
import { encodeFooter } from "../../../vault/pack/footer.ts";
import { encodeFrame, parseFrame } from "../../../vault/pack/frame.ts";
import { encodePackHeader } from "../../../vault/pack/packHeader.ts";
import { encodeTrailer, type TrailerRow } from "../../../vault/pack/trailer.ts";
import { parseRecordHeader } from "../../../vault/record.ts";
import type { SeedPackRow } from "../../../vault/seed/packList.ts";
import {
  dataRecord,
  GatewayFixture,
  pageRecord,
  type TestDevice,
  type TestRecord,
} from "../gatewayFixture.ts";

const box = 5;
let datacentre: GatewayFixture;
let device: TestDevice;
let stranger: TestDevice;
let disk: string;

beforeAll(async () => {
  datacentre = await GatewayFixture.create();
  device = await datacentre.device(await datacentre.account("acme"), "laptop");
  stranger = await datacentre.device(await datacentre.account("other"), "laptop");
  disk = join(datacentre.path, "..", "disk");
});
afterAll(async () => {
  await datacentre.remove();
});

type Inside = { readonly record: Buffer; readonly group?: number; readonly row?: Partial<TrailerRow> };

/** A pack with these records on the disk: its bytes have the hash that is its name, whatever they are. */
function pack(kind: PackKind, inside: readonly Inside[], alter?: (bytes: Buffer) => void): SeedPackRow {
  const nonce = randomBytes(16);
  const writer = Buffer.from(device.id, "hex");
  const parts: Buffer[] = [encodePackHeader({ kind, nonce })];
  const rows: TrailerRow[] = [];
  let at = parts[0]!.length;
  for (const { record, group = device.group, row } of inside) {
    const header = parseRecordHeader(record);
    const hash16 = createHash("sha256").update(record).digest().subarray(0, 16);
    const frame = encodeFrame({ nonce, writer, group, recordLength: record.length, recordHash: hash16 });
    const offset = at + frame.length;
    const { id, type } = header;
    rows.push({ id, offset, length: record.length, group, writer, type, hash16, ...row });
    parts.push(frame, record);
    at = offset + record.length;
  }
  const trailer = encodeTrailer(rows);
  const footer = encodeFooter({ kind, nonce, trailerOffset: at, trailer });
  const bytes = Buffer.concat([...parts, trailer, footer]);
  alter?.(bytes);
  const name = createHash("sha256").update(bytes).digest();
  const path = closedPackPath(join(disk, "vaults", device.vault), name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, bytes);
  return { name, bytes: bytes.length, records: inside.length, kind };
}

async function take(packs: readonly SeedPackRow[], disks = [disk]): Promise<VaultImport> {
  const vault = await datacentre.gateway.vault(device.vault);
  return await importVault({
    ...{
      vault,
      box,
      sources: disks.map((path) => new FolderSource(path)),
      signal: new AbortController().signal,
    },
    intake: new PackIntake(vault, {
      directory: datacentre.gateway.vaultDirectory(device.vault),
      writerOrdinal: () => 0,
      mayBring: (group) => group === device.group,
    }),
    packs: (async function* () {
      yield* packs;
    })(),
    onPack: () => undefined,
  });
}

/** Whether a record is here as it was made. */
async function isHere({ id, record }: TestRecord): Promise<boolean> {
  const [found] = await device.client.readAll(device.vault, device.group, [id]);
  return found?.state === "record" && found.record.equals(record);
}

test("each is left and named, and what is sound around it is taken", async () => {
  const [first, last] = [dataRecord(device), dataRecord(device)];
  const inside = (): Inside => ({ record: dataRecord(device).record });
  const page = { record: pageRecord(device, [first.id], "page").record };
  const swapped = dataRecord(device);
  const hostile: readonly (readonly [SeedPackRow, RegExp])[] = [
    [
      pack(PackKind.data, [inside()], (bytes) => bytes.fill(0, bytes.length - 300, bytes.length - 100)),
      /trailer/,
    ],
    [pack(PackKind.data, [inside()], (bytes) => bytes.fill(0, 0, 8)), /not a pack|checksum/],
    [
      pack(PackKind.data, [{ ...inside(), row: { id: randomBytes(32) } }]),
      /not what its pack's trailer says/,
    ],
    [
      pack(PackKind.data, [inside(), { ...inside(), row: { id: swapped.id } }]),
      /not what its pack's trailer/,
    ],
    [pack(PackKind.data, [{ ...inside(), group: 70_000 }]), /group 70000, for which the box was not made/],
    [pack(PackKind.data, [page]), /another than its manifest says/],
    [{ ...pack(PackKind.data, [inside()]), kind: PackKind.metadata }, /another than its manifest says/],
    [pack(PackKind.data, [inside()], (bytes) => void bytes.fill(0xff, 100)), /./],
    // The first record's header, behind the pack's and its frame, claims 2^32 - 1 references.
    [
      pack(PackKind.data, [inside()], (bytes) => void bytes.writeUInt32LE(0xffffffff, 112)),
      /over the limits/,
    ],
  ];
  const packs = [
    pack(PackKind.data, [first]),
    ...hostile.map(([row]) => row),
    pack(PackKind.data, [last]),
    pack(PackKind.metadata, [page]),
  ];
  const done = await take(packs);
  expect(done).toMatchObject({
    left: hostile.length,
    refused: 0,
    outcomes: { merged: 3, kept: 0, present: 0 },
  });
  for (const [i, [, why]] of hostile.entries()) expect(done.leftPacks[i]?.why).toMatch(why);
  expect(await isHere(first)).toBe(true);
  expect(await isHere(last)).toBe(true);
  const vault = await datacentre.gateway.vault(device.vault);
  expect(vault.store.lookup(device.group, swapped.id)).toBeUndefined();
  expect(vault.store.lookup(70_000, swapped.id)).toBeUndefined();
  // Again: what was taken is settled, what was left is looked at again.
  expect(await take(packs)).toMatchObject({ left: hostile.length, takenBytes: 0, outcomes: { merged: 3 } });
});

test("a record that names what is neither here nor promised waits for a later run, by which it is taken", async () => {
  const child = dataRecord(device);
  const page = pageRecord(device, [child.id], "early");
  const early = pack(PackKind.metadata, [page]);
  expect(await take([early])).toMatchObject({ left: 0, refused: 1 });
  expect(await isHere(page)).toBe(false);
  // Nothing was promised, so nothing of it counts; its child comes with another disk.
  expect(await take([pack(PackKind.data, [child]), early])).toMatchObject({ left: 0, refused: 0 });
  expect(await isHere(page)).toBe(true);
  expect(await take([early])).toMatchObject({ takenBytes: 0, refused: 0 });
});

test("a lot of small packs from two disks, each of which lacks some or has them damaged", async () => {
  const second = `${disk}-second`;
  const records = Array.from({ length: 24 }, () => dataRecord(device));
  const packs = records.map((record) => pack(PackKind.data, [record]));
  const pathOn = (root: string, { name }: SeedPackRow): string =>
    closedPackPath(join(root, "vaults", device.vault), name);
  const nowhere: SeedPackRow[] = [];
  for (const [i, row] of packs.entries()) {
    const [path, other] = [pathOn(disk, row), pathOn(second, row)];
    mkdirSync(join(other, ".."), { recursive: true });
    const bytes = readFileSync(path);
    const damaged = Buffer.from(bytes);
    damaged[damaged.length >> 1]! ^= 1;
    if (i % 4 !== 0) writeFileSync(other, i % 4 === 3 ? damaged : bytes);
    if (i % 4 === 1) writeFileSync(path, damaged);
    if (i % 4 === 2) rmSync(path);
    if (i % 8 !== 7) continue;
    writeFileSync(path, bytes.subarray(1));
    nowhere.push(row);
  }
  const done = await take(packs, [disk, second]);
  expect(done).toMatchObject({ left: nowhere.length, outcomes: { merged: packs.length - nowhere.length } });
  expect(done.leftPacks.map((left) => left.pack)).toEqual(nowhere.map(({ name }) => toHex(name)));
  for (const { why } of done.leftPacks) expect(why).toMatch(/bytes and not .*; .*another hash than its name/);
  for (const [i, record] of records.entries()) expect(await isHere(record)).toBe(i % 8 !== 7);
  await expect(take(packs, [`${disk}-away`, disk, second])).rejects.toMatchObject({
    code: "seed-source-gone",
  });
  // A pack whose records came with another is present, and settled.
  const again = pack(PackKind.data, [records[0]!]);
  expect(await take([again, pack(PackKind.data, [dataRecord(device)])])).toMatchObject({
    outcomes: { present: 1, merged: 1 },
  });
  expect(await take([again])).toMatchObject({ outcomes: { present: 1 }, takenBytes: 0 });
});

test("what a trailer says of a record's hash is not believed: frames and trailers here have the right one", async () => {
  const records = [dataRecord(device), dataRecord(device), dataRecord(device)];
  const rows = records.map(({ record }, i) =>
    pack(PackKind.data, [{ record, row: i === 1 ? { hash16: randomBytes(16) } : {} }]),
  );
  expect(await take(rows)).toMatchObject({ left: 0, outcomes: { merged: 3 } });
  const { store } = await datacentre.gateway.vault(device.vault);
  await store.closeOpenPacks();
  for (const { id, record } of records) {
    const place = store.lookup(device.group, id)!;
    const directory = datacentre.gateway.vaultDirectory(device.vault);
    const bytes = readFileSync(closedPackPath(directory, store.packs.get(place.pack)!.name!));
    const hash16 = createHash("sha256").update(record).digest().subarray(0, 16);
    expect(parseFrame(bytes.subarray(place.offset - Width.frame))?.recordHash.equals(hash16)).toBe(true);
    const row = packContents(bytes).rows.find(({ offset }) => offset === place.offset);
    expect(row?.hash16.equals(hash16)).toBe(true);
  }
});

test("records of another vault take the place of nothing", async () => {
  const own = dataRecord(device);
  await take([pack(PackKind.data, [own])]);
  const foreign = dataRecord(stranger);
  // The same id, sealed with keys that are not this vault's: as a liar would write it.
  const lying = Buffer.from(foreign.record);
  const header = parseRecordHeader(own.record);
  const at = own.record.indexOf(header.id);
  own.id.copy(lying, at);
  expect(await take([pack(PackKind.data, [{ record: lying }, foreign])])).toMatchObject({ left: 0 });
  expect(await isHere(own)).toBe(true);
});
