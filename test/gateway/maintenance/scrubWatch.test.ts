// A gateway that scrubs by itself: what waits longest first, remembered over restarts; what is found is told, asked for, and taken back when it is healed.

import { readFileSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Administration } from "../../../gateway/administration.ts";
import { Gateway } from "../../../gateway/gateway.ts";
import { PackChecks } from "../../../gateway/index/packChecks.ts";
import { namedFiles } from "../../../gateway/maintenance/rebuild/packFile.ts";
import { wholeRecords } from "../../../gateway/maintenance/rebuild/salvage.ts";
import type { PackStatus } from "../../../gateway/maintenance/scrubStatus.ts";
import { ScrubWatch } from "../../../gateway/maintenance/scrubWatch.ts";
import type { OpenVault } from "../../../gateway/openVault.ts";
import { toHex } from "../../../vault/bytes.ts";
import { RecordType } from "../../../vault/magic.ts";
import { SampleVault, silent, silentLogger } from "./sampleVault.ts";

const dayMs = 86_400_000;

let sample: SampleVault;
let gateway: Gateway;
let vault: OpenVault;
let path: string;
let nowMs: number;
let watch: ScrubWatch | undefined;

beforeEach(async () => {
  sample = await SampleVault.create();
  nowMs = Date.now();
  path = sample.copy();
  await open();
});
afterEach(async () => {
  await watch?.close();
  watch = undefined;
  await gateway.close();
  sample.remove();
});

async function open(): Promise<void> {
  const options = { logger: silentLogger(), version: "0.0.0-test", now: () => new Date(nowMs) };
  gateway = await Gateway.open(path, options);
  vault = await gateway.vault(sample.device.vault);
}

/** Runs the watch until `done`. */
async function watched(done: () => boolean): Promise<void> {
  watch = new ScrubWatch(gateway, { firstMs: 0, restMs: 1 });
  watch.start();
  while (!done()) await pause(1);
  await watch.close();
  watch = undefined;
}

async function packs(): Promise<readonly PackStatus[]> {
  return (await new Administration(gateway).scrubStatus(1000)).packs;
}

const unread = (): number =>
  [...vault.store.packs.all()].filter(
    ({ ordinal, state }) =>
      state === "closed" && new PackChecks(vault.store.environment).get(ordinal) === undefined,
  ).length;

test("nothing is read before its time; then every pack is, and a restart knows of it", async () => {
  const before = await packs();
  expect(before.every(({ by, sound }) => by === "written" && sound)).toBe(true);
  nowMs += 29 * dayMs;
  watch = new ScrubWatch(gateway, { firstMs: 0, restMs: 1 });
  watch.start();
  await pause(50);
  await watch.close();
  expect(unread()).toBe(before.length);
  nowMs += 2 * dayMs;
  await watched(() => unread() === 0);
  const [job] = gateway.jobs.list({ kind: "scrub", failed: false, limit: 1 });
  expect(job).toMatchObject({ subject: "by itself", result: expect.stringMatching(/done|stopped/) });
  await gateway.close();
  await open();
  expect(unread()).toBe(0);
  expect((await packs()).every(({ by, at, sound }) => by === "scrub" && at !== null && sound)).toBe(true);
});

test("what waits longest goes first", async () => {
  const checks = new PackChecks(vault.store.environment);
  const ordinals = [...vault.store.packs.all()]
    .filter(({ state }) => state === "closed")
    .map(({ ordinal }) => ordinal);
  for (const [i, ordinal] of ordinals.entries()) {
    checks.put(ordinal, { by: "check", sound: true, atMs: nowMs - (40 + ((i * 7) % 5)) * dayMs });
  }
  const expected = ordinals.toSorted((a, b) => checks.get(a)!.atMs - checks.get(b)!.atMs || a - b);
  const seen: number[] = [];
  const stop = vault.store.environment.onCommit(() => {
    for (const ordinal of ordinals) {
      if (checks.get(ordinal)?.by === "scrub" && !seen.includes(ordinal)) seen.push(ordinal);
    }
  });
  await watched(() => seen.length === ordinals.length);
  stop();
  expect(seen).toEqual(expected);
});

test("damage is told once, lost records are asked for, and a pack that is whole again is taken back", async () => {
  const files = namedFiles(sample.directoryOf(path), "packs");
  const found = await Promise.all(
    files.map(async (file) => ({ file, records: await wholeRecords(file.path, undefined) })),
  );
  const { file, records } = found.find(({ records: [first] }) => first?.row.type === RecordType.data)!;
  const { row } = records[1]!;
  const whole = readFileSync(file.path);
  const damaged = Buffer.from(whole);
  damaged[row.offset + 90]! ^= 1;
  writeFileSync(file.path, damaged);
  const status = async (): Promise<PackStatus> =>
    (await packs()).find(({ pack }) => pack === toHex(file.name))!;
  nowMs += 31 * dayMs;
  await watched(() => unread() === 0);
  expect(await status()).toMatchObject({ sound: false, by: "scrub" });
  expect(gateway.alerts.list()).toMatchObject([
    { kind: "damage-found", subject: "anna/main", severity: "critical" },
  ]);
  const reached = sample.snapshots.filter((snapshot) => snapshot.records.has(toHex(row.id)));
  for (const snapshot of sample.snapshots) {
    const isHurt = reached.includes(snapshot);
    expect(vault.pendingBoxes(snapshot.id) !== undefined).toBe(isHurt);
    expect(await sample.lacking(vault, snapshot)).toEqual(isHurt ? [toHex(row.id)] : []);
  }
  // Put back by hand, say. A day later it is looked at again.
  writeFileSync(file.path, whole);
  nowMs += 2 * dayMs;
  const checks = new PackChecks(vault.store.environment);
  await watched(() => checks.get(vault.store.packs.ordinalOf(file.name)!)?.sound === true);
  await vault.waits.settle();
  for (const snapshot of sample.snapshots) {
    expect(vault.pendingBoxes(snapshot.id)).toBeUndefined();
    expect(await sample.lacking(vault, snapshot)).toEqual([]);
  }
  await new Administration(gateway).scrub({ heal: true, fromStart: true, limit: "" }, silent);
  expect(gateway.alerts.list()).toEqual([]);
});
