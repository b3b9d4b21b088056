// What goes on a box to restore from, as its datacentre chooses it: in this process, with real gateways.

import { randomBytes } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { restore } from "../../../agent/restore/restore.ts";
import type { RestoreNote } from "../../../agent/restore/restoreTypes.ts";
import { StageAdministration } from "../../../gateway/admin/stageAdministration.ts";
import type { StageProgress, StageReport, StageRequest } from "../../../gateway/admin/stageOperations.ts";
import { Gateway } from "../../../gateway/gateway.ts";
import { readBoxDocument } from "../../../gateway/seed/boxDirectory.ts";
import { readCustody } from "../../../gateway/seed/custodyFile.ts";
import { seedStatus } from "../../../gateway/seed/seedStatus.ts";
import { LocalRecordSource } from "../../../gateway/viewSource.ts";
import { deriveLogin } from "../../../vault/keys/kdf.ts";
import { RecordType } from "../../../vault/magic.ts";
import { openBoxKey } from "../../../vault/seed/boxDocument.ts";
import { openSnapshot } from "../../../vault/snapshot.ts";
import { compareTrees } from "../../fidelity/compareTrees.ts";
import { SeedSites, type Site, type StoredRecord } from "./seedSites.ts";

const passphrase = "carried there and back";
let sites: SeedSites;
let datacentre: Site;
let records: StoredRecord[];
let key: NonNullable<StageRequest["key"]>;

beforeAll(async () => {
  sites = await SeedSites.create();
  sites.change(1);
  await sites.box.backup(sites.source, sites.cacheOf("second"));
  records = await sites.box.records();
  // A datacentre that has the snapshots, of which a part is still on its way.
  datacentre = await sites.promisedTo("datacentre", 7);
  const kdf = { suite: 1 as const, iterations: 210_000, salt: randomBytes(32) };
  const { r } = await deriveLogin(passphrase, kdf);
  key = { kdf: { ...kdf, salt: kdf.salt.toString("base64") }, r: r.toString("base64") };
});
afterAll(async () => {
  await sites.remove();
});

async function stage(
  name: string,
  more: Partial<StageRequest>,
  onProgress: (progress: StageProgress) => void = () => undefined,
  signal: AbortSignal = new AbortController().signal,
): Promise<StageReport> {
  const request = {
    directory: join(sites.folder, name),
    snapshots: [],
    listen: "127.0.0.1:0",
    urls: ["https://127.0.0.1:7440"],
    by: "a test",
    need: [],
    ...more,
  };
  return await new StageAdministration(datacentre.fixture.gateway).stage(request, { onProgress, signal });
}

/** Runs with the box of a directory. */
async function atBox<T>(name: string, work: (box: Gateway) => Promise<T>): Promise<T> {
  const path = join(sites.folder, name);
  const boxKey = await openBoxKey((await readBoxDocument(path))!, passphrase);
  const logger = pino({ level: "silent" });
  const box = await Gateway.open(path, { logger, now: () => new Date(), version: "test", boxKey });
  try {
    return await work(box);
  } finally {
    await box.close();
  }
}

/** Restores the newest snapshot of a box. */
async function restoreFrom(box: Gateway, target: string): Promise<RestoreNote[]> {
  const { account, vault: id } = sites.device;
  const vault = await box.vault(id);
  const object = await vault.snapshotObject(vault.catalog.snapshots()[0]!);
  const notes: RestoreNote[] = [];
  await restore({
    source: new LocalRecordSource(box),
    keys: account.keys,
    snapshot: openSnapshot(account.keys, object),
    path: [],
    target: Buffer.from(target),
    overwrite: "always",
    dryRun: false,
    delete: false,
    ownerByName: false,
    threads: 1,
    onNote: (note) => notes.push(note),
  });
  return notes;
}

async function snapshotIds(): Promise<string[]> {
  return (await datacentre.vault).catalog.snapshots().map(({ id }) => id);
}

test("what is not here is said before, and is left out", async () => {
  const data = records.filter(({ type }) => type === RecordType.data);
  const late = data.slice(-8);
  await datacentre.bring(records.filter((record) => !late.includes(record)));
  const snapshots = (await snapshotIds()).map((snapshot) => ({ snapshot, path: "" }));
  const planned = await stage("part", { snapshots });
  expect(planned).toMatchObject({ box: null, lacking: late.length, leftOut: 0 });
  expect(planned.snapshots.some(({ isLacking }) => isLacking)).toBe(true);
  expect(planned.records).toBe(records.length - late.length);
  let last: StageProgress | undefined;
  const made = await stage("part", { snapshots, key }, (progress) => {
    last = progress;
  });
  expect(last).toEqual({
    ...{ phase: "copying", records: planned.records, recordsDone: planned.records },
    ...{ bytes: planned.bytes, bytesDone: planned.bytes },
  });
  expect(made.box?.number).toBeGreaterThan(0);
  const target = join(sites.folder, "target-part");
  await atBox("part", async (box) => {
    const notes = await restoreFrom(box, target);
    expect(notes.length).toBeGreaterThan(0);
    expect(new Set(notes.map(({ code }) => code))).toEqual(new Set(["left-out"]));
    const vault = await box.vault(sites.device.vault);
    expect(vault.store.index.count()).toBeGreaterThanOrEqual(planned.records);
    expect(vault.catalog.snapshots().map(({ id }) => vault.pendingBoxes(id))).toContainEqual([0]);
  });
  const differences = compareTrees(sites.source, join(target, sites.source));
  expect(new Set(differences.filter(({ aspect }) => aspect !== "mtime").map(({ aspect }) => aspect))).toEqual(
    new Set(["missing"]),
  );
  // Once it came, all of it goes on a box: also where parents have lower numbers than their children.
  await datacentre.bring(late);
  expect(await stage("whole", { snapshots })).toMatchObject({ lacking: 0, records: records.length });
  const { snapshots: told } = await stage("whole", { snapshots, key });
  expect(told.map(({ isLacking }) => isLacking)).toEqual(snapshots.map(() => false));
  const whole = join(sites.folder, "target-whole");
  expect(await atBox("whole", (box) => restoreFrom(box, whole))).toEqual([]);
  expect(compareTrees(sites.source, join(whole, sites.source))).toEqual([]);
}, 120_000);

test("one snapshot brings its own records alone", async () => {
  const [newest, oldest] = await snapshotIds();
  const of = async (...ids: string[]): Promise<number> =>
    (await stage("none", { snapshots: ids.map((snapshot) => ({ snapshot, path: "" })) })).records;
  const [both, one, other] = [await of(newest!, oldest!), await of(newest!), await of(oldest!)];
  expect(both).toBe(records.length);
  expect(one).toBeLessThan(both);
  expect(other).toBeLessThan(both);
  expect(one + other).toBeGreaterThan(both);
});

test("a box that was begun is finished for the same snapshots alone", async () => {
  const [newest, oldest] = (await snapshotIds()).map((snapshot) => [{ snapshot, path: "" }]);
  const stop = new AbortController();
  const onProgress = ({ phase, recordsDone }: StageProgress): void => {
    if (phase === "copying" && recordsDone > 0) stop.abort(new Error("stopped"));
  };
  const stopped = stage("begun", { snapshots: newest!, key }, onProgress, stop.signal);
  await expect(stopped).rejects.toThrow("stopped");
  await expect(stage("begun", { snapshots: oldest!, key })).rejects.toMatchObject({ code: "exists" });
  await atBox("begun", async (box) => {
    const vault = await box.vault(sites.device.vault);
    expect(vault.store.index.count()).toBeGreaterThan(0);
    expect(vault.catalog.snapshots()).toEqual([]);
    expect((await seedStatus(box)).onBoard).toMatchObject({ kind: "restore", sealed: false });
  });
  const { boxes } = datacentre.fixture.gateway.catalog;
  const before = boxes.list().length;
  const { box } = await stage("begun", { snapshots: newest!, key });
  expect(boxes.list().length).toBe(before);
  expect(boxes.get(box!.number)).toMatchObject({ kind: "restore", state: "sealed" });
  const custody = await readCustody(join(sites.folder, "begun"));
  expect(custody.entries.map(({ event }) => event)).toEqual(["prepared", "sealed"]);
  const target = join(sites.folder, "target-begun");
  await atBox("begun", async (opened) => {
    expect((await seedStatus(opened)).onBoard).toMatchObject({ kind: "restore", sealed: true, snapshots: 1 });
    expect(await restoreFrom(opened, target)).toEqual([]);
  });
  expect(compareTrees(sites.source, join(target, sites.source))).toEqual([]);
}, 60_000);

test("stopped while records are chosen, nothing is made; how far it is, is told", async () => {
  const [newest] = (await snapshotIds()).map((snapshot) => [{ snapshot, path: "" }]);
  const { boxes } = datacentre.fixture.gateway.catalog;
  const before = boxes.list();
  const phases = new Set<string>();
  await stage("chosen", { snapshots: newest! }, ({ phase, recordsDone, records: all }) => {
    phases.add(phase);
    // Nobody knows how much is below a snapshot before it was walked; of the rows of the vault everybody does.
    expect(all === null).toBe(phase === "choosing");
    if (all !== null) expect(recordsDone).toBeLessThanOrEqual(all);
  });
  expect([...phases]).toEqual(["choosing", "finding"]);
  for (const at of phases) {
    const stop = new AbortController();
    const onProgress = ({ phase }: StageProgress): void => {
      if (phase === at) stop.abort(new Error(`stopped while ${at}`));
    };
    const stopped = stage("chosen", { snapshots: newest!, key }, onProgress, stop.signal);
    await expect(stopped).rejects.toThrow(`stopped while ${at}`);
  }
  expect(boxes.list()).toEqual(before);
  expect(existsSync(join(sites.folder, "chosen"))).toBe(false);
});

test("what cannot be made is refused before anything is", async () => {
  const [newest] = await snapshotIds();
  const [whole, path] = [[{ snapshot: newest!, path: "" }], [{ snapshot: newest!, path: "tmp" }]];
  await expect(stage("none", { snapshots: [{ snapshot: "", path: "" }] })).rejects.toMatchObject({
    code: "usage",
  });
  await expect(stage("none", { snapshots: [{ snapshot: "xyz", path: "" }] })).rejects.toMatchObject({
    code: "usage",
  });
  const unknown = newest!.startsWith("0") ? "1".repeat(64) : "0".repeat(64);
  await expect(stage("none", { snapshots: [{ snapshot: unknown, path: "" }] })).rejects.toMatchObject({
    code: "not-found",
  });
  await expect(stage("none", { snapshots: path })).rejects.toMatchObject({ code: "vault-locked" });
  const list = join(sites.folder, "list");
  await expect(stage("none", { snapshots: whole, need: [list] })).rejects.toMatchObject({ code: "io-error" });
  writeFileSync(list, "HFb1 and something else that is no list");
  await expect(stage("none", { snapshots: whole, need: [list] })).rejects.toMatchObject({
    code: "unsupported",
  });
  await expect(stage("whole", { snapshots: whole, key })).rejects.toMatchObject({ code: "exists" });
  await expect(stage("source", { snapshots: whole, key })).rejects.toMatchObject({ code: "exists" });
});
