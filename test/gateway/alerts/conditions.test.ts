// What a gateway finds wrong by itself: each alert comes when it holds, with figures, and ends when it is over.

import { rename } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Alerting } from "../../../gateway/alerts/alerting.ts";
import { rhythmMs } from "../../../gateway/alerts/conditions/backupHistory.ts";
import { DiskForecast } from "../../../gateway/health/diskForecast.ts";
import { closedPackPath } from "../../../gateway/store/packPaths.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { GatewayFixture, pageRecord, snapshotOf, type TestDevice } from "../gatewayFixture.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
let fixture: GatewayFixture;
let device: TestDevice;
let alerting: Alerting;
let nowMs: number;

beforeEach(async () => {
  nowMs = Date.UTC(2026, 10, 1);
  fixture = await GatewayFixture.create({ now: () => new Date(nowMs) });
  device = await fixture.device(await fixture.account("anna"), "laptop");
  alerting = new Alerting(fixture.gateway, new DiskForecast(fixture.gateway));
});
afterEach(async () => {
  await fixture.remove();
});

/** Open alerts after a look, by kind. */
async function look(): Promise<string[]> {
  await alerting.look();
  return fixture.gateway.alerts
    .list()
    .map(({ kind, severity, subject }) => `${severity} ${kind}: ${subject}`);
}

async function restart(): Promise<void> {
  await fixture.stop();
  await fixture.start();
  device = { ...device, client: fixture.client(device.token) };
  alerting = new Alerting(fixture.gateway, new DiskForecast(fixture.gateway));
}

async function begin(name: string) {
  const item = await device.client.putItem(name);
  const { session } = await device.client.startSession({
    vault: device.vault,
    item: item.id,
    highestSequence: item.sequence,
  });
  return { item, session };
}

async function backup(name = "files"): Promise<void> {
  const { item, session } = await begin(name);
  const root = pageRecord(device, [], `${name} ${item.sequence}`);
  await device.client.records(session, [root.record]);
  await device.client.commit(session, snapshotOf(device, item, item.sequence + 1, item.head, root.id).bytes);
}

test("a rhythm is the second longest of the last gaps and half of it, a day at least", () => {
  const moments = (...gapsHours: number[]): number[] => {
    let atMs = 0;
    return [0, ...gapsHours.map((gap) => (atMs += gap * hourMs))];
  };
  expect(rhythmMs(moments(24, 24, 24, 24))).toBeUndefined();
  expect(rhythmMs(moments(24, 24, 24, 24, 24))).toBe(36 * hourMs);
  expect(rhythmMs(moments(24, 24, 240, 24, 24, 24)), "one holiday is none").toBe(36 * hourMs);
  expect(rhythmMs(moments(1, 1, 1, 64, 1, 1, 1, 64, 1)), "weekends are").toBe(96 * hourMs);
  expect(rhythmMs(moments(1, 1, 1, 1, 1, 1))).toBe(dayMs);
});

test("a backup that does not come is missed by its rhythm, or by what was said, and not when it is there again", async () => {
  for (let n = 0; n < 6; n++) {
    await backup();
    nowMs += dayMs;
  }
  await restart();
  nowMs += 11 * hourMs;
  expect(await look()).toEqual([]);
  nowMs += 2 * hourMs;
  const missed = "backup-missed: anna/laptop/files";
  expect(await look()).toEqual([`warning ${missed}`]);
  expect(fixture.gateway.alerts.list()[0]?.figures).toMatchObject({
    age_hours: 37,
    expected_hours: 36,
    expectation: "its rhythm",
  });
  nowMs += 5 * dayMs;
  expect(await look()).toEqual([`critical ${missed}`]);
  const files = { account: "anna", device: "laptop", item: "files" };
  const { alerts } = fixture.administration;
  await alerts.expect({ ...files, everySeconds: null });
  expect(await look()).toEqual([]);
  await alerts.expect({ ...files, everySeconds: 30 * 86_400 });
  expect(await look()).toEqual([]);
  await alerts.expect({ ...files, everySeconds: "learn" });
  expect(await look()).toEqual([`critical ${missed}`]);
  await backup();
  expect(await look()).toEqual([]);
  await device.client.putItem("never came");
  await alerts.expect({ ...files, item: "never came", everySeconds: 3600 });
  nowMs += 3601_000;
  expect(await look()).toEqual(["warning backup-missed: anna/laptop/never came"]);
  await expect(alerts.expect({ ...files, item: "unknown", everySeconds: 1 })).rejects.toMatchObject({
    code: ErrorCode.notFound,
  });
  await fixture.administration.revokeDevice("anna", "laptop");
  expect(await look(), "nothing is expected of a revoked device").toEqual([]);
});

test("a backup that failed, or was interrupted and did not go on, until one comes", async () => {
  const { item, session } = await begin("files");
  const wrong = snapshotOf(device, item, 7, null, pageRecord(device, []).id);
  await expect(device.client.commit(session, wrong.bytes)).rejects.toMatchObject({});
  await device.client.endSession(session);
  const failed = "warning backup-failed: anna/laptop/files";
  expect(await look()).toEqual([failed]);
  expect(fixture.gateway.alerts.list()[0]?.figures).toMatchObject({
    job: 1,
    code: ErrorCode.sequenceConflict,
  });
  await restart();
  expect(await look()).toEqual([failed]);
  await backup();
  expect(await look()).toEqual([]);
  await begin("files");
  nowMs += 2 * hourMs;
  await fixture.gateway.jobs.review();
  expect(await look()).toEqual([]);
  nowMs += 12 * hourMs;
  expect(await look()).toEqual([failed]);
});

test("a replica that is behind, and one whose job has stopped", async () => {
  const place = join(fixture.path, "..", "replica");
  const watch = { onProgress: () => undefined, signal: new AbortController().signal };
  const { replicas } = fixture.administration;
  await replicas.add({
    ...{
      name: "disk",
      url: `file://${place}`,
      options: {},
      bandwidth: "",
      schedule: "only 02:00",
      parallel: 2,
    },
  });
  await backup();
  nowMs += 47 * hourMs;
  expect(await look()).toEqual([]);
  nowMs += hourMs;
  expect(await look()).toEqual(["warning replica-behind: disk anna/main"]);
  expect(fixture.gateway.alerts.list()[0]?.figures).toMatchObject({
    lag_hours: 48,
    snapshots: 1,
    code: null,
  });
  Object.assign(fixture.gateway.dataDir.settings, { alertLagHours: 0 });
  expect(await look()).toEqual([]);
  Object.assign(fixture.gateway.dataDir.settings, { alertLagHours: 48 });
  await rename(place, `${place}.away`);
  const [away] = (await replicas.run({ name: "disk", takeOver: false }, watch)).reports;
  expect(away?.failure?.code).toBe(ErrorCode.replicaUnreachable);
  expect(await look(), "what is waited for is not stopped").toEqual([
    "warning replica-behind: disk anna/main",
  ]);
  await rename(`${place}.away`, place);
  await replicas.run({ name: "disk", takeOver: false }, watch);
  expect(await look()).toEqual([]);
});

test("the disk, the certificate, and a vault that cannot be opened", async () => {
  const { settings } = fixture.gateway.dataDir;
  Object.assign(settings, { reserveMiB: 2 ** 40 });
  expect(await look()).toEqual(["critical disk-filling: the gateway's disk"]);
  Object.assign(settings, { reserveMiB: 0, alertCertificateDays: 40 * 365 });
  expect(await look()).toEqual(["warning certificate-ends: the gateway's TLS certificate"]);
  Object.assign(settings, { alertCertificateDays: 14 });
  expect(await look()).toEqual([]);
  nowMs = Date.UTC(2056, 10, 25);
  expect((await look()).filter((each) => each.includes("certificate"))).toHaveLength(1);
  nowMs = Date.UTC(2026, 10, 2);
  const document = join(fixture.gateway.vaultDirectory(device.vault), "vault.json");
  await fixture.stop();
  await rename(document, `${document}.away`);
  await fixture.start();
  alerting = new Alerting(fixture.gateway, new DiskForecast(fixture.gateway));
  expect(await look()).toContain("critical vault-not-open: anna/main");
  await rename(`${document}.away`, document);
  expect(await look()).toEqual([]);
});

test("a vault in which nothing is stored any more", async () => {
  const { store } = await fixture.gateway.vault(device.vault);
  const failure = vi.spyOn(store, "failure", "get");
  failure.mockReturnValue(new HoldfastError(ErrorCode.ioError, "the disk is gone", { next: "Look at it." }));
  expect(await look()).toEqual(["critical vault-not-writable: anna/main"]);
  expect(fixture.gateway.alerts.list()[0]).toMatchObject({
    message: "backups are refused: the disk is gone. Look at it.",
    figures: { code: "io-error" },
  });
  failure.mockRestore();
  expect(await look()).toEqual([]);
});

test("damage that a scrub found and could not heal, until a scrub finds none; said once and not each minute", async () => {
  await backup();
  const { gateway, administration } = fixture;
  const vault = await gateway.vault(device.vault);
  await vault.store.closeOpenPacks();
  const [pack] = [...vault.store.packs.all()];
  const path = closedPackPath(gateway.vaultDirectory(device.vault), pack!.name!);
  const watch = { onProgress: () => undefined, signal: new AbortController().signal };
  const scrub = () => administration.scrub({ heal: false, fromStart: true, limit: "" }, watch);
  await rename(path, `${path}.whole`);
  await scrub();
  expect(await look()).toEqual(["critical damage-found: the gateway's disk"]);
  const [first] = gateway.alerts.list();
  expect(first).toMatchObject({ times: 1, figures: { damaged: 1 } });
  nowMs += 59 * 60_000;
  await look();
  expect(gateway.alerts.list()[0]?.times).toBe(1);
  nowMs += 2 * 60_000;
  await look();
  expect(gateway.alerts.list()[0]).toMatchObject({ times: 2, change: first?.change });
  await rename(`${path}.whole`, path);
  await scrub();
  expect(await look()).toEqual([]);
});
