// /metrics of a running gateway: who may read it, that it is Prometheus' format, and that its figures are right.

import { mkdir } from "node:fs/promises";
import { request as httpsRequest } from "node:https";
import { dirname, join } from "node:path";
import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RunningGateway } from "../../../gateway/runningGateway.ts";
import { GatewayClient } from "../../../ingest/client/gatewayClient.ts";
import { ErrorCode } from "../../../vault/errors.ts";
import {
  dataRecord,
  GatewayFixture,
  newAccount,
  pageRecord,
  snapshotOf,
  type TestDevice,
} from "../gatewayFixture.ts";
import { type Family, parsePrometheusText, seriesValue } from "./prometheusText.ts";

let fixture: GatewayFixture;
let running: RunningGateway;
let device: TestDevice;
let clockMs = 0;
const nowMs = Date.UTC(2026, 10, 1);

beforeAll(async () => {
  fixture = await GatewayFixture.create();
  device = await fixture.device(await fixture.account("anna"), "laptop");
  await fixture.stop();
  running = await RunningGateway.start(fixture.path, {
    logger: pino({ level: process.env.TEST_LOG ?? "silent" }),
    now: () => new Date(nowMs),
    monotonicMs: () => clockMs,
    version: "1.2.3",
  });
  const client = new GatewayClient({
    url: running.url,
    fingerprint: fixture.fingerprint,
    token: device.token,
    triesMax: 1,
  });
  device = { ...device, client };
});
afterAll(async () => {
  device.client.close();
  await running.stop();
  await fixture.start();
  await fixture.remove();
});

function get(token?: string): Promise<{ status: number; type: string; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const request = httpsRequest(`${running.url}/metrics`, {
      rejectUnauthorized: false,
      agent: false,
      headers,
    });
    request.on("error", reject);
    request.once("response", async (response) => {
      const text = Buffer.concat(await response.toArray()).toString();
      resolve({ status: response.statusCode ?? 0, type: String(response.headers["content-type"]), text });
    });
    request.end();
  });
}

async function metrics(): Promise<Map<string, Family>> {
  clockMs += 5000;
  const { text } = await running.administration.metrics.text();
  return parsePrometheusText(text);
}

test("nobody reads them without the token of today, unless the settings say so; off is off", async () => {
  const { operations, settings } = {
    operations: running.administration.metrics,
    settings: running.gateway.dataDir.settings,
  };
  expect(await get()).toMatchObject({ status: 401 });
  const { token: first } = await operations.issueToken();
  expect(await get()).toMatchObject({ status: 401 });
  for (const wrong of [device.token, `${first.slice(0, -1)}~`, "x"]) {
    const refused = await get(wrong);
    expect(refused.status).toBe(401);
    expect(refused.text).not.toMatch(/anna|laptop/);
  }
  const read = await get(first);
  expect([read.status, read.type]).toEqual([200, "text/plain; version=0.0.4; charset=utf-8"]);
  const { token: second } = await operations.issueToken();
  expect([(await get(first)).status, (await get(second)).status]).toEqual([401, 200]);
  // It opens nothing else.
  const other = new GatewayClient({
    url: running.url,
    fingerprint: fixture.fingerprint,
    token: second,
    triesMax: 1,
  });
  await expect(other.snapshots()).rejects.toMatchObject({ code: ErrorCode.tokenInvalid });
  other.close();
  Object.assign(settings, { metrics: "open" });
  expect((await get()).status).toBe(200);
  Object.assign(settings, { metrics: "off" });
  expect((await get(second)).status).toBe(404);
  Object.assign(settings, { metrics: "token" });
  expect(await operations.removeToken()).toEqual({ removed: true });
  expect((await get(second)).status).toBe(401);
  expect(await operations.removeToken()).toEqual({ removed: false });
});

test("every line is of the format, every name after the conventions, and a second look within seconds is the same", async () => {
  const families = await metrics();
  for (const [name, { type }] of families) {
    expect(["counter", "gauge", "histogram", "summary"]).toContain(type);
    if (name.startsWith("holdfast_")) expect(name.endsWith("_total"), name).toBe(type === "counter");
  }
  const own = [...families.keys()].filter((name) => name.startsWith("holdfast_"));
  expect(own.length).toBeGreaterThan(35);
  expect(seriesValue(families, "holdfast_build_info", { version: "1.2.3" })).toBe(1);
  expect(seriesValue(families, "process_resident_memory_bytes")).toBeGreaterThan(1e6);
  expect(seriesValue(families, "nodejs_eventloop_lag_seconds")).toBeGreaterThanOrEqual(0);
  expect(seriesValue(families, "holdfast_disk_free_bytes")).toBeGreaterThan(0);
  expect(seriesValue(families, "holdfast_disk_reserve_reached_in_seconds")).toBe(Number.POSITIVE_INFINITY);
  const expiry = seriesValue(families, "holdfast_certificate_expiry_timestamp_seconds") ?? 0;
  expect(expiry).toBeGreaterThan(nowMs / 1000 + 29 * 365 * 86_400);
  clockMs += 5000;
  const one = await running.administration.metrics.text();
  await running.administration.addAccount(newAccount("berta").request);
  expect(await running.administration.metrics.text()).toEqual(one);
  expect(seriesValue(await metrics(), "holdfast_accounts")).toBe(2);
});

test("a backup, its replication and logins are counted", async () => {
  const before = await metrics();
  expect(seriesValue(before, "holdfast_jobs_total", { kind: "backup" })).toBeUndefined();
  const item = await device.client.putItem("files");
  const { session } = await device.client.startSession({
    vault: device.vault,
    item: item.id,
    highestSequence: 0,
  });
  const records = [dataRecord(device), dataRecord(device)];
  const root = pageRecord(
    device,
    records.map(({ id }) => id),
  );
  await device.client.have(session, [root.id]);
  const sent = [...records, root].map(({ record }) => record);
  await device.client.records(session, sent);
  const anna = { account: "anna", vault: "main" };
  const during = await metrics();
  expect(seriesValue(during, "holdfast_upload_sessions")).toBe(1);
  expect(seriesValue(during, "holdfast_jobs_running", { kind: "backup" })).toBe(1);
  expect(
    seriesValue(during, "holdfast_item_last_snapshot_timestamp_seconds", { account: "anna", item: "files" }),
  ).toBe(0);
  await device.client.commit(session, snapshotOf(device, item, 1, null, root.id).bytes);
  await device.client.login("anna", device.account.l);
  await expect(device.client.login("anna", Buffer.alloc(24))).rejects.toMatchObject({
    code: ErrorCode.authFailed,
  });

  const after = await metrics();
  const value = (name: string, labels: Record<string, string> = {}) =>
    seriesValue(after, `holdfast_${name}`, labels);
  expect(value("upload_sessions")).toBe(0);
  expect(value("upload_records_total")).toBe(3);
  expect(value("upload_bytes_total")).toBe(sent.reduce((sum, { length }) => sum + length, 0));
  expect(value("have_duration_seconds_count")).toBe(1);
  expect(value("have_duration_seconds_bucket", { le: "+Inf" })).toBe(1);
  expect(value("group_commit_duration_seconds_count")).toBeGreaterThan(0);
  expect(value("jobs_total", { kind: "backup", result: "done" })).toBe(1);
  expect(value("job_duration_seconds_count", { kind: "backup" })).toBe(1);
  expect(value("job_last_success_timestamp_seconds", { kind: "backup" })).toBe(nowMs / 1000);
  expect(
    value("item_last_snapshot_timestamp_seconds", { account: "anna", device: "laptop", item: "files" }),
  ).toBe(nowMs / 1000);
  expect(value("vault_snapshots", anna)).toBe(1);
  expect(value("vault_chunks", anna)).toBe(3);
  expect(value("vault_packs", { ...anna, state: "open" })).toBe(2);
  expect(value("logins_total", { by: "password", result: "succeeded" })).toBe(1);
  expect(value("logins_total", { by: "password", result: "failed" })).toBe(1);
  expect(value("series_left_out", { of: "items" })).toBe(0);

  const place = join(dirname(fixture.path), "replica");
  await mkdir(place);
  await running.administration.replicas.add({
    ...{
      name: "disk",
      url: `file://${place}`,
      options: {},
      bandwidth: "",
      schedule: "only 02:00",
      parallel: 2,
    },
  });
  const disk = { ...anna, replica: "disk" };
  const pending = await metrics();
  expect(seriesValue(pending, "holdfast_replica_pending_snapshots", disk)).toBe(1);
  expect(seriesValue(pending, "holdfast_replica_receipts", disk)).toBe(0);
  const [status] = await running.administration.replicas.status("disk");
  expect(status?.vaults.find(({ vault }) => vault === device.vault)?.pendingSnapshots).toBe(1);
  const watch = { onProgress: () => undefined, signal: new AbortController().signal };
  await running.administration.replicas.run({ name: "disk", takeOver: false }, watch);
  const there = await metrics();
  expect(seriesValue(there, "holdfast_replica_pending_snapshots", disk)).toBe(0);
  expect(seriesValue(there, "holdfast_replica_pending_packs", disk)).toBe(0);
  expect(seriesValue(there, "holdfast_replica_lag_seconds", disk)).toBe(0);
  expect(seriesValue(there, "holdfast_replica_receipts", disk)).toBe(1);
  expect(seriesValue(there, "holdfast_replica_failing", disk)).toBe(0);
  expect(
    seriesValue(there, "holdfast_jobs_total", { kind: "replicate", result: "done" }),
  ).toBeGreaterThanOrEqual(2);
});
