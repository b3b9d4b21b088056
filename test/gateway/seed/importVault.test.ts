// A box's packs at the datacentre: taken once, verified, in order, whatever is missing, damaged, doubled or in the way.

import { execFileSync } from "node:child_process";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { importVault, type VaultImport } from "../../../gateway/seed/import/importVault.ts";
import { PackIntake } from "../../../gateway/seed/import/packIntake.ts";
import { FolderSource, type PackSource } from "../../../gateway/seed/import/packSources.ts";
import { closedPackPath } from "../../../gateway/store/packPaths.ts";
import { isHoldfastError } from "../../../vault/errors.ts";
import type { SeedPackRow } from "../../../vault/seed/packList.ts";
import { seededBytes } from "../../vault/seeded.ts";
import { dataRecord, pageRecord, snapshotOf, type TestRecord } from "../gatewayFixture.ts";
import { boxNumber, boxVault, type Carried, carried, sealed } from "./carried.ts";

let site: Carried;
let leaves: TestRecord[];
let root: TestRecord;
let lists: { packs: SeedPackRow[]; chunks: Buffer };

/** Large enough that some of its packs are kept as they are, and small enough that there are several. */
const packBytesTarget = 9 * 2 ** 20;

beforeEach(async () => {
  site = await carried(packBytesTarget);
  const { atBox } = site;
  leaves = Array.from({ length: 24 }, (_, i) => dataRecord(atBox, seededBytes(`leaf ${i}`, 2 ** 20)));
  const pages = [0, 8, 16].map((at) =>
    pageRecord(
      atBox,
      leaves.slice(at, at + 8).map(({ id }) => id),
      `page ${at}`,
    ),
  );
  root = pageRecord(
    atBox,
    pages.map(({ id }) => id),
    "root",
  );
  await backUp(atBox, [...leaves, ...pages, root]);
  lists = await sealed(site);
  expect(lists.packs.length).toBeGreaterThan(3);
  const vault = await site.datacentre.gateway.vault(site.account.vault);
  await vault.boxes.promise({ box: boxNumber, seal: 1, list: [lists.chunks] });
});
afterEach(async () => {
  await site.remove();
});

async function backUp(device: Carried["device"], records: readonly TestRecord[]): Promise<string> {
  const item = await device.client.putItem("files");
  const { session, sequence, head } = await device.client.startSession({
    ...{ vault: device.vault, item: item.id, highestSequence: 0 },
  });
  for (const { record } of records) await device.client.records(session, [record]);
  const { bytes } = snapshotOf(device, item, sequence + 1, head, records.at(-1)!.id);
  return (await device.client.commit(session, bytes)).snapshot;
}

async function run(options: {
  sources?: readonly PackSource[];
  packs?: readonly SeedPackRow[];
  stopAfter?: number;
}): Promise<VaultImport> {
  const { datacentre, account, box } = site;
  const vault = await datacentre.gateway.vault(account.vault);
  const stop = new AbortController();
  let done = 0;
  const rows = options.packs ?? lists.packs;
  return await importVault({
    vault,
    box: boxNumber,
    intake: new PackIntake(vault, {
      directory: boxVault(datacentre, account),
      writerOrdinal: (id) => datacentre.gateway.catalog.devices.get(Buffer.from(id).toString("hex"))!.ordinal,
      mayBring: () => true,
    }),
    sources: options.sources ?? [new FolderSource(box.path)],
    packs: (async function* () {
      yield* rows;
    })(),
    signal: stop.signal,
    onPack: () => {
      if (++done === options.stopAfter) stop.abort();
    },
  });
}

async function read(record: TestRecord): Promise<string> {
  const { client, vault, group } = site.device;
  const [found] = await client.readAll(vault, group, [record.id]);
  return found?.state === "record" ? (found.record.equals(record.record) ? "right" : "wrong") : found!.state;
}

async function pendingOf(id: string): Promise<unknown> {
  const vault = await site.datacentre.gateway.vault(site.account.vault);
  await vault.waits.settle();
  return vault.catalog.waiting.list().some(([snapshot]) => snapshot === id);
}

test("packs are taken once; a snapshot that rested on the promise becomes whole", async () => {
  const more = pageRecord(site.device, [root.id, leaves[3]!.id], "increment");
  const pending = await backUp(site.device, [more]);
  expect(await pendingOf(pending)).toBe(true);
  expect(await read(leaves[0]!)).toBe("promised");
  const first = await run({});
  expect(first).toMatchObject({ left: 0, refused: 0 });
  expect(first.outcomes.kept).toBeGreaterThan(0);
  expect(first.outcomes.merged).toBeGreaterThan(0);
  for (const record of [...leaves, root]) expect(await read(record)).toBe("right");
  expect(await pendingOf(pending)).toBe(false);
  const again = await run({});
  expect(again).toMatchObject({ outcomes: first.outcomes, takenBytes: 0, left: 0 });
});

test("what is here already is not taken again", async () => {
  const { device } = site;
  // All leaves came by another way meanwhile.
  await backUp(device, [...leaves, pageRecord(device, [], "own")]);
  const { outcomes, refused } = await run({});
  expect(outcomes.kept).toBe(0);
  expect(outcomes.present).toBeGreaterThan(0);
  expect(refused).toBe(0);
  expect(await read(root)).toBe("right");
});

test("a run that is stopped goes on, also after the gateway was", async () => {
  await expect(run({ stopAfter: 2 })).rejects.toThrow();
  await site.datacentre.stop();
  await site.datacentre.start();
  const after = { ...site.device, client: site.datacentre.client(site.device.token) };
  site = { ...site, device: after };
  expect(await run({})).toMatchObject({ left: 0, refused: 0 });
  for (const record of [...leaves, root]) expect(await read(record)).toBe("right");
});

test("a flipped byte, a missing pack, a short one: left and named, the rest is taken, another disk has them", async () => {
  const paths = lists.packs.map(({ name }) => closedPackPath(boxVault(site.box, site.account), name));
  const second = join(site.scratch, "second");
  const [flipped, missing, short] = paths as [string, string, string];
  const flippedBytes = readFileSync(flipped);
  const good = Buffer.from(flippedBytes);
  flippedBytes[flippedBytes.length >> 1]! ^= 1;
  writeFileSync(flipped, flippedBytes);
  renameSync(missing, `${missing}.away`);
  const shortBytes = readFileSync(short);
  writeFileSync(short, shortBytes.subarray(0, 1000));
  const hurt = await run({});
  expect(hurt.left).toBe(3);
  expect(hurt.leftPacks.map(({ why }) => why.replace(/^.*: /, ""))).toEqual([
    "its bytes have another hash than its name",
    "its file is not there",
    `its file has 1000 bytes and not ${shortBytes.length}`,
  ]);
  expect(await read(leaves[0]!)).toBe("promised");
  // Pages are here: what they name that is not is promised still.
  expect(await read(root)).toBe("right");

  const { mkdirSync } = await import("node:fs");
  for (const [path, bytes] of [
    [flipped, good],
    [missing, readFileSync(`${missing}.away`)],
    [short, shortBytes],
  ] as const) {
    const copy = path.replace(site.box.path, second);
    mkdirSync(join(copy, ".."), { recursive: true });
    writeFileSync(copy, bytes);
  }
  const healed = await run({ sources: [new FolderSource(site.box.path), new FolderSource(second)] });
  expect(healed.left).toBe(0);
  for (const record of [...leaves, root]) expect(await read(record)).toBe("right");
});

test("a disk that is pulled is no disk without packs", async () => {
  renameSync(site.box.path, `${site.box.path}.pulled`);
  const error = await run({}).catch((thrown: unknown) => thrown);
  expect(isHoldfastError(error) && error.code).toBe("seed-source-gone");
  renameSync(`${site.box.path}.pulled`, site.box.path);
  expect(await run({})).toMatchObject({ left: 0 });
});

test("packs that no manifest lists are named and left alone", async () => {
  const stray = "ab".repeat(32);
  const path = closedPackPath(boxVault(site.box, site.account), Buffer.from(stray, "hex"));
  const { mkdirSync } = await import("node:fs");
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, "not asked for");
  const listed = new Set(lists.packs.map(({ name }) => Buffer.from(name).toString("hex")));
  const source = new FolderSource(site.box.path);
  expect(await source.strays(site.account.vault, (name) => listed.has(name), 10)).toEqual([stray]);
  await run({ sources: [source] });
  rmSync(path);
});

test("a pipe under the name of a pack is no pack, and nothing waits for it", async () => {
  const path = closedPackPath(boxVault(site.box, site.account), lists.packs[0]!.name);
  renameSync(path, `${path}.away`);
  execFileSync("mkfifo", [path]);
  const { left, leftPacks } = await run({});
  expect(left).toBe(1);
  expect(leftPacks[0]?.why).toContain("it is no file");
  renameSync(`${path}.away`, path);
  expect(await run({})).toMatchObject({ left: 0 });
});

test("a pack that was never what the manifest says is left", async () => {
  const lying = lists.packs.map((row, i) => (i === 0 ? { ...row, records: row.records + 1 } : row));
  const { left, leftPacks } = await run({ packs: lying });
  expect(left).toBe(1);
  expect(leftPacks[0]?.why).toContain("another than its manifest says");
});
