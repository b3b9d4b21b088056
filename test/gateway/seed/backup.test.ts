// A real agent backs up to a datacentre that has nothing but a box's promise: it sends what is new and no more, whatever becomes of the box.

import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RecordChannel } from "../../../ingest/client/recordChannel.ts";
import { bitAt } from "../../../ingest/wire/bitmap.ts";
import { RecordType } from "../../../vault/magic.ts";
import { compareTrees } from "../../fidelity/compareTrees.ts";
import { SeedSites, type Site, type StoredRecord } from "./seedSites.ts";

let sites: SeedSites;
/** What the box holds. */
let onBoard: StoredRecord[];

beforeAll(async () => {
  sites = await SeedSites.create();
  onBoard = await sites.box.records();
});
afterAll(async () => {
  await sites.remove();
});

function bytesOf(records: readonly StoredRecord[]): number {
  return records.reduce((sum, { record }) => sum + record.length, 0);
}

let restored = 0;

async function expectRestored(site: Site): Promise<void> {
  const target = join(sites.folder, `restored${restored++}`);
  mkdirSync(target);
  expect((await site.restore(target)).filter(({ level }) => level === "error")).toEqual([]);
  expect(await compareTrees(sites.source, join(target, sites.source))).toEqual([]);
}

test("without its page cache, and with a gateway that restarts, an agent reads everything and sends nothing that is promised", async () => {
  let datacentre = await sites.promisedTo("dc0");
  const first = await datacentre.backup(sites.source, sites.cache("lost"));
  expect(first.warnings.join()).toMatch(/reading everything/);
  expect(first.counts.filesRead).toBe(first.counts.files);
  // Folders above the source are not the test's own, and change.
  expect(first.sentBytes).toBeLessThan(5000);
  datacentre = await datacentre.restarted();
  expect(await datacentre.pending()).toEqual([[7], [7]]);
  const second = await datacentre.backup(sites.source, sites.cache("lost"));
  expect(second.warnings).toEqual([]);
  expect(second.sentBytes).toBeLessThan(5000);
  await datacentre.bring(onBoard);
  expect(await datacentre.pending()).toEqual([null, null, null]);
  await expectRestored(datacentre);
});

test("an increment sends what it would send to a gateway that has everything, and completes when the box comes", async () => {
  const datacentre = await sites.promisedTo("dc1");
  const whole = await sites.copy("whole1", "box");
  sites.change(1);
  const promised = await datacentre.backup(sites.source, sites.cacheOf("dc1"));
  const usual = await whole.backup(sites.source, sites.cacheOf("whole1"));
  expect(promised.warnings).toEqual([]);
  expect(promised.hadPrevious).toBe(true);
  expect(promised.sentBytes).toBeLessThanOrEqual(usual.sentBytes * 1.02);
  expect(promised.counts.filesRead).toBe(usual.counts.filesRead);
  expect(await datacentre.pending()).toEqual([[7], [7]]);
  // What is here can be read, what is not says where it is.
  const { client, vault, group } = datacentre.device;
  const data = onBoard.find(({ type }) => type === RecordType.data) as StoredRecord;
  const [row] = await client.snapshots();
  const [result] = await client.readAll(vault, group, [data.id]);
  expect(result).toEqual({ state: "promised", box: 7 });
  const { listening, fingerprint } = datacentre.fixture;
  const address = { url: new URL(listening.url), fingerprint, token: datacentre.device.token, vault };
  const channel = await RecordChannel.open(address, (bytes) => Buffer.alloc(bytes));
  const answers: unknown[] = [];
  await channel.read(group, [data.id], (_index, answer) => answers.push(answer));
  channel.close();
  expect(answers).toEqual([result]);
  expect(bitAt(await client.exists(vault, group, [data.id]), 0)).toBe(false);
  expect(row).toMatchObject({ sequence: 2, pending: [7] });
  const target = join(sites.folder, "partly");
  mkdirSync(target);
  const notes = (await datacentre.restore(target)).filter(({ level }) => level === "error");
  expect(new Set(notes.map(({ code }) => code))).toEqual(new Set(["promised"]));
  expect(readFileSync(join(target, sites.source, "new1"))).toEqual(readFileSync(join(sites.source, "new1")));
  // Portions: it is whole with the last, not before.
  const half = Math.floor(onBoard.length / 2);
  await datacentre.bring(onBoard.slice(0, half));
  expect(await datacentre.pending()).toEqual([[7], [7]]);
  await datacentre.bring(onBoard.slice(half));
  expect(await datacentre.pending()).toEqual([null, null]);
  await (await datacentre.vault).boxes.close(7);
  await expectRestored(datacentre);
});

test("what a box promised and does not bring is sent by the next run, and nothing else", async () => {
  const datacentre = await sites.promisedTo("dc3");
  sites.change(3);
  await datacentre.backup(sites.source, sites.cacheOf("dc3"));
  const vault = await datacentre.vault;
  // All but some chunks of the large file and some bundles.
  const lost = onBoard.filter(({ type }, n) => type === RecordType.data && n % 5 === 0);
  expect(lost.length).toBeGreaterThan(2);
  await datacentre.bring(onBoard.filter((record) => !lost.includes(record)));
  expect(await datacentre.pending()).toEqual([[7], [7]]);
  const token = vault.catalog.cacheToken();
  await vault.boxes.close(7);
  expect(vault.catalog.cacheToken()).not.toBe(token);
  expect(await datacentre.pending()).toEqual([[], []]);
  const lacked = await vault.waits.lackedBy(
    (await datacentre.device.client.snapshots())[1]!.id,
    1000,
    await vault.waits.lacking(),
    new AbortController().signal,
  );
  expect(lacked.map(({ id }) => id).sort()).toEqual(lost.map(({ id }) => id.toString("hex")).sort());
  const next = await datacentre.backup(sites.source, sites.cache("dc3"));
  expect(next.warnings).toEqual([]);
  expect(next.sentBytes).toBeGreaterThanOrEqual(bytesOf(lost) * 0.5);
  // Besides the chunks go the pages of folders above the source.
  expect(next.sentBytes).toBeLessThanOrEqual(bytesOf(lost) * 1.02);
  expect(next.counts.bytesRead).toBeLessThan(20_000_000);
  expect((await datacentre.pending()).at(-1)).toBeNull();
  await expectRestored(datacentre);
});

test("an abandoned box: the next run sends everything once", async () => {
  const datacentre = await sites.promisedTo("dc4");
  const vault = await datacentre.vault;
  await vault.boxes.close(7);
  expect(await datacentre.pending()).toEqual([[]]);
  const next = await datacentre.backup(sites.source, sites.cacheOf("dc4"));
  const total = bytesOf(await datacentre.records());
  expect(next.sentBytes).toBe(total);
  expect((await datacentre.pending()).at(-1)).toBeNull();
  await expectRestored(datacentre);
});

test("a false promise never makes a snapshot whole", async () => {
  const whole = await sites.copy("whole5", "box");
  sites.change(5);
  await whole.backup(sites.source, sites.cacheOf("whole5"));
  const known = new Set(onBoard.map(({ id }) => id.toString("hex")));
  const claimed = (await whole.records()).filter(({ id }) => !known.has(id.toString("hex")));
  expect(claimed.length).toBeGreaterThan(1);
  // The box says that it has what it cannot have: the agent sends nothing of it.
  const datacentre = await sites.promisedTo(
    "dc5",
    7,
    claimed.map(({ id }) => id),
  );
  const lied = await datacentre.backup(sites.source, sites.cacheOf("dc5"));
  expect(lied.sentBytes).toBeLessThan(5000);
  await datacentre.bring(onBoard);
  expect(await datacentre.pending()).toEqual([null, [7]]);
  await (await datacentre.vault).boxes.close(7);
  expect(await datacentre.pending()).toEqual([null, []]);
  const next = await datacentre.backup(sites.source, sites.cache("dc5"));
  expect(next.sentBytes).toBeLessThanOrEqual(bytesOf(claimed) * 1.02);
  // The same records: the snapshot that waited is whole too.
  expect(await datacentre.pending()).toEqual([null, null, null]);
  await expectRestored(datacentre);
});
