// A running gateway prunes by itself: when it is due, over restarts, and with clocks that jump.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { PruneResult } from "../../gateway/admin/retentionOperations.ts";
import { AlertLog } from "../../gateway/alerts/alertLog.ts";
import { type PruneFigures, ScheduledRuns } from "../../gateway/catalog/scheduledRuns.ts";
import { type IndexEnvironment, openIndexEnvironment } from "../../gateway/index/environment.ts";
import { type PruneSchedulePort, pruneSchedule } from "../../gateway/maintenance/retention/pruneSchedule.ts";
import type { Timetable } from "../../gateway/maintenance/timetable.ts";

const hourMs = 3_600_000;
const result: PruneResult = { dryRun: false, items: [], without: 0, held: [], kept: 1, trashed: 2 };
let folder: string;
let environment: IndexEnvironment;
let alerts: AlertLog;
let runs: ScheduledRuns<PruneFigures>;
let schedule: Timetable<PruneFigures>;
let wallMs: number;
let upMs: number;
let pruned: number;
let fails: Error | undefined;
let everyHours: number;

function start(): void {
  environment = openIndexEnvironment(join(folder, "catalog"));
  alerts = new AlertLog(environment, () => new Date(wallMs));
  runs = new ScheduledRuns(environment, "prune-runs", { trashed: 0 });
  upMs = 0;
  const gateway = {
    alerts,
    audit: { note: () => undefined },
    catalog: { pruneRuns: runs },
    dataDir: { settings: { pruneEveryHours: everyHours }, box: undefined },
    logger: pino({ level: "silent" }),
    now: () => new Date(wallMs),
  } as unknown as PruneSchedulePort["gateway"];
  const prune = async (): Promise<PruneResult> => {
    pruned++;
    if (fails !== undefined) throw fails;
    return result;
  };
  schedule = pruneSchedule({ gateway, prune, monotonicMs: () => upMs });
}

async function stop(kill = false): Promise<void> {
  if (!kill) await schedule.close();
  await environment.close();
}

/** So long passes, in steps of a minute as the timer's, by the wall clock too unless told otherwise. */
async function pass(hours: number, wallHours = hours): Promise<void> {
  wallMs += (wallHours - hours) * hourMs;
  for (let minute = 0; minute < hours * 60; minute += 5) {
    upMs += 5 * 60_000;
    wallMs += 5 * 60_000;
    await schedule.look();
  }
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-prune-"));
  [wallMs, pruned, fails, everyHours] = [Date.UTC(2026, 10, 26), 0, undefined, 24];
  start();
});
afterEach(async () => {
  await stop();
  rmSync(folder, { recursive: true, force: true });
});

test("once in the interval, and its last run is known after a restart", async () => {
  await pass(23);
  expect(pruned).toBe(0);
  await pass(2);
  expect(pruned).toBe(1);
  expect(runs.last()).toMatchObject({ trashed: 2, failed: null });
  await pass(19);
  await stop();
  start();
  await pass(3);
  expect(pruned, "neither clock is 24 h on yet").toBe(1);
  await pass(2);
  expect(pruned).toBe(2);
});

test("a clock that was set back does not keep it from coming, one that jumps ahead brings it once", async () => {
  await pass(25);
  expect(pruned).toBe(1);
  await pass(22, -50_000);
  expect(pruned).toBe(1);
  await pass(2);
  expect(pruned).toBe(2);
  await pass(1, 100_000);
  expect(pruned).toBe(3);
  await pass(22);
  expect(pruned).toBe(3);
});

test("a gateway whose clock stands still at each start, and that is killed, comes to it all the same", async () => {
  const dayMs = wallMs;
  await pass(25);
  for (let day = 0; day < 5; day++) {
    await stop(true);
    wallMs = dayMs;
    start();
    await pass(6);
  }
  // 30 hours, of which each kill costs a quarter at most.
  expect(pruned).toBe(2);
});

test("one that fails is an alert until the next succeeds", async () => {
  fails = new Error("no room");
  await pass(25);
  expect(alerts.list()).toMatchObject([{ kind: "prune-failed", severity: "warning" }]);
  expect(runs.last()).toMatchObject({ failed: "no room" });
  await pass(10);
  expect(pruned, "not over and over").toBe(1);
  fails = undefined;
  await pass(15);
  expect(alerts.list()).toEqual([]);
});

test("0 is never", async () => {
  await stop();
  everyHours = 0;
  start();
  await pass(60);
  expect(pruned).toBe(0);
});
