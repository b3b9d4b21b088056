// The history of jobs on a real gateway: what work leaves behind, what a kill does to it, and what is kept.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { JobRow } from "../../../gateway/jobs/jobRows.ts";
import type { JobFilter } from "../../../gateway/jobs/jobs.ts";
import { GatewayClient } from "../../../ingest/client/gatewayClient.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import {
  beginSession,
  dataRecord,
  GatewayFixture,
  pageRecord,
  snapshotOf,
  type TestDevice,
  type TestRecord,
} from "../gatewayFixture.ts";
import { KillableGateway } from "../killableGateway.ts";

let fixture: GatewayFixture;
let device: TestDevice;
let nowMs: number;

beforeEach(async () => {
  nowMs = Date.UTC(2026, 10, 1);
  fixture = await GatewayFixture.create({ now: () => new Date(nowMs) });
  device = await fixture.device(await fixture.account("anna"), "laptop");
});
afterEach(async () => {
  await fixture.remove();
});

const list = (filter: Partial<JobFilter> = {}) =>
  fixture.administration.jobs.list({ failed: false, limit: 100, ...filter });

async function restart(): Promise<void> {
  await fixture.stop();
  await fixture.start();
  device = { ...device, client: fixture.client(device.token) };
}

const begin = (client = device.client, name = "files") => beginSession({ client, vault: device.vault }, name);

async function upload(client: GatewayClient, session: string): Promise<{ root: TestRecord; bytes: number }> {
  const record = dataRecord(device);
  const root = pageRecord(device, [record.id]);
  await client.records(session, [record.record, root.record]);
  return { root, bytes: record.record.length + root.record.length };
}

test("a backup is a job from its session to its commit; a newer session interrupts it, an end without snapshot stops it", async () => {
  const first = await begin();
  nowMs += 2000;
  expect(await list()).toMatchObject([
    { id: 1, kind: "backup", subject: "anna/laptop/files", result: "running", ended: null, seconds: 2 },
  ]);
  const second = await begin();
  expect(await list()).toMatchObject([
    { id: 2, result: "running" },
    { id: 1, result: "interrupted" },
  ]);
  await expect(upload(device.client, first.session)).rejects.toMatchObject({ code: ErrorCode.sessionEnded });
  const { root, bytes } = await upload(device.client, second.session);
  const snapshot = snapshotOf(device, second.item, 1, null, root.id);
  await device.client.commit(second.session, snapshot.bytes);
  await device.client.commit(second.session, snapshot.bytes);
  expect(await fixture.administration.jobs.get(2)).toMatchObject({
    ...{ result: "done", failure: null, figures: { records: 2, bytes }, seconds: 0 },
    ended: new Date(nowMs).toISOString(),
  });

  // A commit that is refused leaves the session, and says why the backup failed when it ends.
  const third = await begin();
  const wrong = snapshotOf(device, third.item, 1, null, root.id);
  await expect(device.client.commit(third.session, wrong.bytes)).rejects.toMatchObject({
    code: ErrorCode.sequenceConflict,
  });
  expect((await list())[0]?.result).toBe("running");
  await device.client.endSession(third.session);
  expect((await list({ failed: true })).map(({ id, failure }) => [id, failure?.code])).toEqual([
    [3, ErrorCode.sequenceConflict],
    [1, ErrorCode.sessionEnded],
  ]);
  await expect(fixture.administration.jobs.get(99)).rejects.toMatchObject({ code: ErrorCode.notFound });
});

test("a session that others end, or that falls silent, is followed; one that speaks again runs again", async () => {
  const { session } = await begin();
  nowMs += 3_500_000;
  await device.client.have(session, [dataRecord(device).id]);
  nowMs += 3_500_000;
  expect((await list())[0]?.result).toBe("running");
  nowMs += 200_000;
  const spoke = new Date(nowMs - 3_700_000).toISOString();
  expect((await list())[0]).toMatchObject({ result: "interrupted", ended: spoke });
  await upload(device.client, session);
  expect((await list())[0]).toMatchObject({ id: 1, result: "running", ended: null, failure: null });
  await fixture.administration.revokeDevice("anna", "laptop");
  expect((await list())[0]).toMatchObject({ id: 1, result: "stopped" });
});

test("kill -9: what ran is interrupted, goes on as the same job, and a commit that nobody noted is found", async () => {
  await fixture.stop();
  const killed = new KillableGateway(fixture.path, 0);
  const { fingerprint } = fixture;
  try {
    const url = await killed.start();
    const client = new GatewayClient({ url, fingerprint, token: device.token, triesMax: 1 });
    const a = await begin(client);
    await upload(client, a.session);
    await begin(client, "other");
    client.close();
    await killed.kill();
    await fixture.start();
    device = { ...device, client: fixture.client(device.token) };
    expect(fixture.gateway.jobs.list({ failed: true, limit: 9 })).toMatchObject([
      { subject: "anna/laptop/other", result: "interrupted", ended: null },
      { subject: "anna/laptop/files", result: "interrupted", ended: null },
    ]);
    const { root } = await upload(device.client, a.session);
    expect((await list())[1]).toMatchObject({ id: 1, result: "running" });
    // The commit's transaction, and a kill before the row: the vault knows, the history does not.
    const vault = await fixture.gateway.vault(device.vault);
    const row = fixture.gateway.catalog.devices.get(device.id);
    await vault.commit(a.session, row!, snapshotOf(device, a.item, 1, null, root.id).bytes);
    await restart();
    expect((await list())[1]).toMatchObject({ id: 1, result: "done" });
    expect((await list())[0], "its lease stands").toMatchObject({ id: 2, result: "interrupted" });
  } finally {
    await killed.kill();
  }
});

test("administrators' work leaves rows with figures, dry runs none; stopping and failing are told apart", async () => {
  const { administration, gateway } = fixture;
  const watch = { onProgress: () => undefined, signal: new AbortController().signal };
  await administration.retention.prune({ dryRun: true });
  await administration.evict({ keepBytes: 0, dryRun: true }, watch);
  expect(await list()).toEqual([]);
  await administration.retention.prune({ dryRun: false, account: "anna" });
  await administration.evict({ keepBytes: 0, dryRun: false }, watch);
  const { session, item } = await begin();
  const { root } = await upload(device.client, session);
  await device.client.commit(session, snapshotOf(device, item, 1, null, root.id).bytes);
  await (await gateway.vault(device.vault)).store.closeOpenPacks();
  const scrub = { heal: false, fromStart: true, limit: "" };
  await administration.scrub(scrub, watch);
  const stopped = AbortSignal.abort(new HoldfastError(ErrorCode.cancelled, "stopped"));
  await expect(administration.scrub(scrub, { ...watch, signal: stopped })).rejects.toThrow();
  await expect(administration.scrub({ ...scrub, limit: "fast" }, watch)).rejects.toThrow();
  const rows = await list();
  expect(rows.map(({ kind, result }) => [kind, result])).toEqual([
    ["scrub", "failed"],
    ["scrub", "stopped"],
    ["scrub", "done"],
    ["backup", "done"],
    ["evict", "done"],
    ["prune", "done"],
  ]);
  expect(rows[0]?.failure?.code).toBe(ErrorCode.usage);
  expect(rows[2]?.figures).toMatchObject({ packs: 2, snapshots: 1, healed: 0, damaged: 0 });
  expect(rows[5]).toMatchObject({ subject: "anna", figures: { kept: 0, trashed: 0 } });
  expect((await list({ kind: "scrub", limit: 2 })).map(({ id }) => id)).toEqual([6, 5]);
  await restart();
  expect((await list()).map(({ id }) => id)).toEqual([6, 5, 4, 3, 2, 1]);
});

test("of each kind so many rows stay, and none that are too old; what runs stays", async () => {
  const { jobs, dataDir } = fixture.gateway;
  Object.assign(dataDir.settings, { jobsKept: 3, jobsDays: 10 });
  const running = jobs.begin({ kind: "scrub", subject: "runs" });
  const run = (kind: JobRow["kind"], subject: string): void => {
    jobs.end(jobs.begin({ kind, subject }), "done", { figures: {} });
  };
  run("evict", "other kind");
  for (let n = 1; n <= 6; n++) run("scrub", String(n));
  expect((await list()).map(({ subject }) => subject)).toEqual(["6", "5", "4", "other kind", "runs"]);
  nowMs += 11 * 86_400_000;
  run("scrub", "7");
  expect((await list()).map(({ subject }) => subject)).toEqual(["7", "other kind", "runs"]);
  expect((await list({ sinceMs: nowMs })).map(({ subject }) => subject)).toEqual(["7"]);
  jobs.end(running, "done", { figures: {} });
  expect((await list()).map(({ subject }) => subject)).toEqual(["7", "other kind"]);
});

test("work goes on where its row cannot be written", async () => {
  const { jobs, catalog } = fixture.gateway;
  const ended: JobRow[] = [];
  jobs.onEnded((row) => ended.push(row));
  const full = vi.spyOn(catalog.environment, "write").mockImplementation(() => {
    throw new HoldfastError(ErrorCode.diskFull, "planted");
  });
  const name = { kind: "scrub", subject: "" } as const;
  const work = async () => "worked";
  expect(await jobs.run(name, { signal: undefined }, work, () => ({ figures: { packs: 1 } }))).toBe("worked");
  expect(full).toHaveBeenCalledTimes(2);
  full.mockRestore();
  expect(ended).toMatchObject([{ id: 1, result: "done", figures: { packs: 1 } }]);
  await jobs.run(name, { signal: undefined }, work, () => ({ figures: {} }));
  expect((await list()).map(({ id }) => id)).toEqual([2]);
});
