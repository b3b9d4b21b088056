// Scrubbing a real gateway: what is damaged on its disk is found, healed from a replica that replication filled, and reported.

import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ScrubRequest, ScrubResult } from "../../../gateway/admin/scrubOperations.ts";
import type { PackRow } from "../../../gateway/index/packTable.ts";
import type { OpenVault } from "../../../gateway/openVault.ts";
import { closedPackPath } from "../../../gateway/store/packPaths.ts";
import { asBuffer, toHex } from "../../../vault/bytes.ts";
import { ErrorCode } from "../../../vault/errors.ts";
import { addReplicaFolder, type ReplicaFolder, replicaPack } from "../cache/replicaFolder.ts";
import { dataRecord, GatewayFixture, pageRecord, snapshotOf, type TestDevice } from "../gatewayFixture.ts";

let scratch: string;
let fixture: GatewayFixture;
let device: TestDevice;
let vault: OpenVault;
let directory: string;
let replica: ReplicaFolder;
let snapshot: string;

beforeEach(async () => {
  scratch = mkdtempSync(join(tmpdir(), "holdfast-scrub-"));
  fixture = await GatewayFixture.create({ packBytesTarget: 2 ** 20 });
  device = await fixture.device(await fixture.account("anna"), "laptop");
  replica = await addReplicaFolder(fixture.gateway.catalog, join(scratch, "replica"), "offsite");
  vault = await fixture.gateway.vault(device.vault);
  directory = fixture.gateway.vaultDirectory(device.vault);
  const item = await device.client.putItem("files");
  const { session } = await device.client.startSession({
    vault: device.vault,
    item: item.id,
    highestSequence: 0,
  });
  const records = Array.from({ length: 40 }, () => dataRecord(device, randomBytes(100_000)));
  const root = pageRecord(
    device,
    records.map(({ id }) => id),
  );
  await device.client.records(
    session,
    [...records, root].map(({ record }) => record),
  );
  const object = snapshotOf(device, item, 1, null, root.id);
  ({ snapshot } = await device.client.commit(session, object.bytes));
});
afterEach(async () => {
  await fixture.remove();
  rmSync(scratch, { recursive: true, force: true });
});

async function replicate(): Promise<void> {
  const [report] = await fixture.gateway.replication.run({ replica: replica.id });
  expect(report).toMatchObject({ outcome: "done", snapshots: 1 });
}

const never = new AbortController().signal;

function scrub(request: Partial<ScrubRequest> = {}, signal = never, seen?: () => void): Promise<ScrubResult> {
  const watch = { onProgress: () => seen?.(), signal };
  return fixture.administration.scrub({ heal: true, fromStart: false, limit: "", ...request }, watch);
}

function closed(): PackRow[] {
  return [...vault.store.packs.all()].filter(({ state }) => state === "closed");
}

const pathOf = (row: PackRow): string => closedPackPath(directory, asBuffer(row.name!));

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] as number) ^ 1;
  writeFileSync(path, bytes);
}

test("a sound gateway has no problems", async () => {
  await vault.store.closeOpenPacks();
  const result = await scrub();
  expect(result).toMatchObject({ packs: closed().length, snapshots: 1, problems: [], problemsInAll: 0 });
  expect(result.bytes).toBe(closed().reduce((sum, { bytes }) => sum + bytes, 0));
});

test("an altered, a short and a missing pack and a damaged snapshot are healed from the replica and reported", async () => {
  await replicate();
  const [altered, short, missing] = closed() as [PackRow, PackRow, PackRow];
  const good = closed().map((row) => readFileSync(pathOf(row)));
  flip(pathOf(altered), 5000);
  truncateSync(pathOf(short), short.bytes - 1);
  rmSync(pathOf(missing));
  const object = join(directory, "snapshots", snapshot);
  const goodObject = readFileSync(object);
  flip(object, 200);
  const { problems } = await scrub();
  expect(
    problems.map(({ kind, name, condition, healedFrom }) => ({ kind, name, condition, healedFrom })),
  ).toEqual([
    { kind: "pack", name: toHex(altered.name!), condition: "damaged", healedFrom: "offsite" },
    { kind: "pack", name: toHex(short.name!), condition: "damaged", healedFrom: "offsite" },
    { kind: "pack", name: toHex(missing.name!), condition: "missing", healedFrom: "offsite" },
    { kind: "snapshot", name: snapshot, condition: "damaged", healedFrom: "offsite" },
  ]);
  expect(closed().map((row) => readFileSync(pathOf(row)))).toEqual(good);
  expect(readFileSync(object)).toEqual(goodObject);
  expect((await scrub()).problems).toEqual([]);
});

test("without healing, and without a good copy, nothing is changed, and the report says why", async () => {
  await replicate();
  const [pack] = closed() as [PackRow];
  flip(pathOf(pack), 5000);
  const damaged = readFileSync(pathOf(pack));
  const [onlyReported] = (await scrub({ heal: false })).problems;
  expect(onlyReported).toMatchObject({ healedFrom: null, notHealed: "healing was not asked for" });
  flip(replicaPack(replica, vault.id, pack.name!), 9000);
  const [wrongCopy] = (await scrub()).problems;
  expect(wrongCopy).toMatchObject({ healedFrom: null, condition: "damaged" });
  expect(wrongCopy?.notHealed).toContain("no replica holds pack");
  expect(readFileSync(pathOf(pack)), "nothing is healed from a copy that fails its hash").toEqual(damaged);
  expect(existsSync(`${pathOf(pack)}.tmp`)).toBe(false);
});

test("a scrub that is stopped goes on behind what it has seen, and one from the start does not", async () => {
  await vault.store.closeOpenPacks();
  const all = closed().length;
  flip(pathOf(closed()[0]!), 5000);
  const controller = new AbortController();
  const stopped = scrub({}, controller.signal, () => controller.abort());
  await expect(stopped).rejects.toMatchObject({ code: ErrorCode.cancelled });
  const rest = await scrub();
  expect(rest).toMatchObject({ packs: all, problems: [], problemsInAll: 1 });
  const again = await scrub({ fromStart: true });
  expect(again).toMatchObject({ packs: all, problemsInAll: 1 });
  expect(again.problems).toHaveLength(1);
});

test("a limit that is no rate is refused before anything is read", async () => {
  await expect(scrub({ limit: "fast" })).rejects.toMatchObject({ code: ErrorCode.usage });
});
