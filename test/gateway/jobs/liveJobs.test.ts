// Jobs while they run, on a real gateway: how far they are, what they said, and how they are stopped.

import { afterEach, beforeEach, expect, test } from "vitest";
import { lineCharactersMax, linesMax } from "../../../gateway/jobs/jobLog.ts";
import { packsShown } from "../../../gateway/jobs/shownProgress.ts";
import { bitAt } from "../../../ingest/wire/bitmap.ts";
import type { BackupTold } from "../../../ingest/wire/messages.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import {
  beginSession,
  dataRecord,
  GatewayFixture,
  pageRecord,
  snapshotOf,
  type TestDevice,
} from "../gatewayFixture.ts";

let fixture: GatewayFixture;
let device: TestDevice;
let monotonicMs: number;

beforeEach(async () => {
  monotonicMs = 0;
  fixture = await GatewayFixture.create({ monotonicMs: () => monotonicMs });
  device = await fixture.device(await fixture.account("anna"), "laptop");
});
afterEach(async () => {
  await fixture.remove();
});

const nothing = () => ({ figures: {} });
const told: BackupTold = {
  ...{ files: 10, bytes: 250, totalFiles: 40, totalBytes: 1000, sentBytes: 99, warnings: 0 },
};

async function restart(): Promise<void> {
  await fixture.stop();
  await fixture.start();
  device = { ...device, client: fixture.client(device.token) };
}

test("work shows how far it is and how long it takes still, and what the gateway says while it works is its log", async () => {
  const { jobs, logger } = fixture.gateway;
  const operations = fixture.administration.jobs;
  const seen: number[] = [];
  const done = await jobs.run(
    { kind: "scrub", subject: "" },
    {
      signal: new AbortController().signal,
      onProgress: ({ packs }) => void seen.push(packs),
      shown: packsShown("scrubbing"),
    },
    async ({ onProgress }) => {
      const counts = { packsTotal: 10, bytes: 0, bytesTotal: 0 };
      expect((await operations.get(1)).progress).toBeNull();
      // A quarter was done by a run before: its time is not known here, and does not count.
      onProgress({ packs: 2.5, ...counts });
      monotonicMs += 10_000;
      onProgress({ packs: 5, ...counts });
      await new Promise((resolve) => setImmediate(resolve));
      logger.warn(
        { vault: "ab", secret: { deep: 1 }, err: new HoldfastError(ErrorCode.corrupt, "planted") },
        "pack-damaged",
      );
      logger.debug("not heard");
      expect(await operations.list({ failed: false, running: true, limit: 9 })).toMatchObject([
        { id: 1, progress: { phase: "scrubbing", unit: "pack", done: 5, total: 10, etaSeconds: 20 } },
      ]);
      return "done";
    },
    nothing,
  );
  expect([done, seen]).toEqual(["done", [2.5, 5]]);
  logger.warn("said by nobody's work");
  const text = "pack-damaged vault=ab err=corrupt: planted";
  expect(await operations.log(1, 0)).toMatchObject({
    job: { result: "done", progress: null },
    lines: [{ number: 1, level: "warn", text }],
  });
  expect((await operations.log(1, 1)).lines).toEqual([]);
  await restart();
  expect((await fixture.administration.jobs.log(1, 0)).lines).toMatchObject([{ number: 1, text }]);
});

test("a log has its newest lines, short ones, and goes with its row", async () => {
  const { jobs, dataDir } = fixture.gateway;
  const id = jobs.begin({ kind: "gc", subject: "" });
  for (let n = 1; n <= linesMax + 5; n++) jobs.say(id, "info", `line ${n}\n${"x".repeat(1000)}`);
  const row = jobs.end(id, "done", { figures: {} });
  const lines = jobs.log(row, 0);
  expect(lines).toHaveLength(linesMax);
  expect(lines[0]).toMatchObject({ number: 6, text: expect.stringMatching(/^line 6 x+\.\.\.$/) });
  expect(Math.max(...lines.map(({ text }) => text.length))).toBe(lineCharactersMax);
  Object.assign(dataDir.settings, { jobsKept: 1 });
  jobs.end(jobs.begin({ kind: "gc", subject: "" }), "done", { figures: {} });
  expect(jobs.log(row, 0)).toEqual([]);
  // Only the newest of a kind have one.
  Object.assign(dataDir.settings, { jobsKept: 1000 });
  for (let n = 0; n < 205; n++) {
    const each = jobs.begin({ kind: "check", subject: String(n) });
    jobs.say(each, "info", "said");
    jobs.end(each, "done", { figures: {} });
  }
  const logs = jobs
    .list({ kind: "check", failed: false, limit: 1000 })
    .map((each) => jobs.log(each, 0).length);
  expect(logs).toEqual([...Array(200).fill(1), ...Array(5).fill(0)]);
});

test("cancel stops work by its signal, whoever began it; what is over, unknown or cannot be stopped is told apart", async () => {
  const { jobs } = fixture.gateway;
  const operations = fixture.administration.jobs;
  const waits = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      // As timers and streams do.
      signal.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
    });
  const given = { signal: new AbortController().signal };
  const running = jobs.run({ kind: "drill", subject: "" }, given, ({ signal }) => waits(signal), nothing);
  const ended = expect(running).rejects.toMatchObject({ code: ErrorCode.cancelled, message: /job cancel/ });
  expect(await operations.cancel(1)).toMatchObject({
    asked: true,
    job: { id: 1, stopAsked: expect.any(String) },
  });
  await ended;
  expect(await operations.cancel(1)).toMatchObject({
    asked: false,
    job: { result: "stopped", failure: null },
  });
  expect((await operations.log(1, 0)).lines.map(({ text }) => text)).toEqual(["asked to stop"]);
  const prune = jobs.begin({ kind: "prune", subject: "" });
  await expect(operations.cancel(prune)).rejects.toMatchObject({ code: ErrorCode.forbidden });
  jobs.end(prune, "done", { figures: {} });
  await expect(operations.cancel(99)).rejects.toMatchObject({ code: ErrorCode.notFound });
});

test("a backup shows what its agent tells; cancelled, its session is refused, and the next one goes on from what was sent", async () => {
  const operations = fixture.administration.jobs;
  const { session } = await beginSession(device);
  await device.client.tellProgress(session, told);
  expect(await operations.get(1)).toMatchObject({
    progress: {
      phase: "backing up",
      unit: "file",
      done: 10,
      total: 40,
      bytes: 250,
      totalBytes: 1000,
      sentBytes: 99,
    },
  });
  const record = dataRecord(device);
  await device.client.records(session, [record.record]);
  await operations.cancel(1);
  expect(await operations.get(1), "its agent has not heard").toMatchObject({ result: "running" });
  const refusal = { code: ErrorCode.backupCancelled };
  await expect(device.client.tellProgress(session, told)).rejects.toMatchObject(refusal);
  expect(await operations.get(1)).toMatchObject({ result: "stopped", figures: { records: 1 } });
  await expect(device.client.have(session, [record.id])).rejects.toMatchObject(refusal);
  await expect(device.client.records(session, [record.record])).rejects.toMatchObject(refusal);
  await device.client.tellProgress(session, {
    ...told,
    over: { result: "stopped", code: ErrorCode.backupCancelled },
  });

  const next = await beginSession(device);
  expect(next.resumed, "its lease stayed").toBe(true);
  expect(bitAt(await device.client.have(next.session, [record.id]), 0)).toBe(true);
  const root = pageRecord(device, [record.id]);
  await device.client.records(next.session, [root.record]);
  const figures = {
    files: 1,
    changed: 0,
    added: 1,
    removed: 0,
    renamed: 0,
    newBytes: 1,
    rawBytes: 0,
    warnings: 3,
  };
  await device.client.commit(next.session, snapshotOf(device, next.item, 1, null, root.id).bytes, {
    figures,
  });
  expect(await operations.get(2)).toMatchObject({ result: "warnings", figures: { warnings: 3 } });
});

test("a backup that was asked to stop hears it after a restart too; one that gives up says why, by a code", async () => {
  const { session } = await beginSession(device);
  await fixture.administration.jobs.cancel(1);
  await restart();
  await expect(device.client.have(session, [dataRecord(device).id])).rejects.toMatchObject({
    code: ErrorCode.backupCancelled,
  });
  expect(await fixture.administration.jobs.get(1)).toMatchObject({ result: "stopped" });
  const second = await beginSession(device);
  await device.client.tellProgress(second.session, { ...told, warnings: 2 });
  await device.client.tellProgress(second.session, {
    ...told,
    warnings: 2,
    over: { result: "failed", code: ErrorCode.ioError },
  });
  const { job, lines } = await fixture.administration.jobs.log(2, 0);
  expect(job).toMatchObject({
    result: "failed",
    failure: { code: ErrorCode.ioError },
    figures: { warnings: 2 },
  });
  expect(lines.map(({ text }) => text)).toEqual([
    "the agent began",
    "2 warnings so far: its output on the device has them",
  ]);
  // The row is closed; the lease is not.
  expect((await beginSession(device)).resumed).toBe(true);
  const wrong = { ...told, files: -1 };
  await expect(device.client.tellProgress(second.session, wrong)).rejects.toMatchObject({
    code: ErrorCode.usage,
  });
});
