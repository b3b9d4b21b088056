// A running gateway collects garbage by itself: when it is due, behind prune, never beside another collection, and over a stop.

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { GcRequest, GcResult } from "../../../../gateway/admin/gcOperations.ts";
import type { GcFigures } from "../../../../gateway/catalog/scheduledRuns.ts";
import { collectGateway } from "../../../../gateway/maintenance/gc/collectGateway.ts";
import { gcSchedule } from "../../../../gateway/maintenance/gc/gcSchedule.ts";
import type { Timetable } from "../../../../gateway/maintenance/timetable.ts";
import { ErrorCode, HoldfastError } from "../../../../vault/errors.ts";
import { dataRecord, type GatewayFixture, pageRecord } from "../../gatewayFixture.ts";
import { collect, type GcClock, gcGateway, VaultUser } from "./gcFixture.ts";

const hourMs = 3_600_000;
const clock: GcClock = { nowMs: Date.UTC(2026, 10, 26) };
let fixture: GatewayFixture;
let user: VaultUser;
let schedule: Timetable<GcFigures>;
let upMs: number;
let asked: GcRequest[];
let order: string[];
let fails: Error | undefined;

beforeAll(async () => {
  fixture = await gcGateway(clock);
  user = new VaultUser(fixture, await fixture.device(await fixture.account("acme"), "laptop"));
});
afterAll(async () => {
  await fixture.remove();
});
beforeEach(() => {
  [upMs, asked, order, fails] = [0, [], [], undefined];
  fixture.gateway.catalog.gcRuns.note({
    ...{ at: null, failed: null, upMs: 0, snapshots: 0, freedBytes: 0, held: 0 },
  });
  start();
});
afterEach(async () => {
  await schedule.close();
});

function start(): void {
  const { gateway } = fixture;
  upMs = 0;
  schedule = gcSchedule({
    gateway,
    pruned: async () => void order.push("prune"),
    collect: async (request, signal): Promise<GcResult> => {
      asked.push(request);
      order.push("gc");
      if (fails !== undefined) throw fails;
      return await collectGateway(gateway, request, { signal, onProgress: () => {} }, "schedule");
    },
    monotonicMs: () => upMs,
  });
}

/** So long passes, a look every five minutes. */
async function pass(hours: number): Promise<void> {
  for (let minute = 0; minute < hours * 60; minute += 5) {
    upMs += 5 * 60_000;
    clock.nowMs += 5 * 60_000;
    await schedule.look();
  }
}

/** A snapshot of its own whose records nobody else needs; in the trash and over its time, since another followed. */
async function garbage(): Promise<Buffer> {
  const data = dataRecord(user.device, Buffer.from(`${Math.random()} ${"x".repeat(3000)}`));
  const { session, item } = await user.begin("files");
  const pages = ["old", "new"].map((text) =>
    pageRecord(user.device, text === "old" ? [data.id] : [], `${text} ${Math.random()}`),
  );
  await user.put(data, ...pages);
  const old = await user.commit(session, item, pages[0]!.id);
  const again = await user.begin("files");
  await user.commit(again.session, again.item, pages[1]!.id);
  await user.trash(old);
  clock.nowMs += 2000;
  return data.id;
}

test("once in the interval, behind prune, with the budget of config.toml, as a job and in the status", async () => {
  const dead = await garbage();
  await pass(23);
  expect(asked).toEqual([]);
  await pass(2);
  expect(asked).toEqual([{ dryRun: false, evicted: false, budgetBytes: 50 * 2 ** 30, forSeconds: 6 * 3600 }]);
  expect(order.slice(order.indexOf("gc") - 1, order.indexOf("gc") + 1)).toEqual(["prune", "gc"]);
  expect(await user.hasRow(dead)).toBe(false);
  const { gc } = await fixture.administration.status();
  expect(gc).toMatchObject({ snapshots: 1, failed: null, held: 0, everyHours: 24, now: null });
  expect(gc.at).not.toBeNull();
  const [job] = fixture.gateway.jobs.list({ kind: "gc", failed: false, limit: 1 });
  expect(job).toMatchObject({ subject: "by itself", result: "done", figures: { snapshots: 1 } });
  await pass(20);
  await schedule.close();
  start();
  await pass(2);
  expect(asked.length, "neither clock is 24 h on yet").toBe(1);
  await pass(3);
  expect(asked.length).toBe(2);
});

test("one by hand that runs is waited for, and the second by hand is told who runs", async () => {
  await garbage();
  await pass(23);
  let during: unknown;
  let refused: Promise<unknown> | undefined;
  await collect(
    user,
    {},
    {
      onProgress: ({ phase }) => {
        if (phase !== "marking" || refused !== undefined) return;
        upMs += 2 * hourMs;
        refused = Promise.allSettled([schedule.look(), collect(user)]);
        during = fixture.gateway.collecting.now;
      },
    },
  );
  expect(during).toMatchObject({ by: "administrator", progress: { account: "acme", phase: "marking" } });
  expect(await refused).toMatchObject([
    { status: "fulfilled" },
    { status: "rejected", reason: { code: ErrorCode.busy } },
  ]);
  expect(asked).toEqual([]);
  await schedule.look();
  expect(asked.length, "it was due still").toBe(1);
});

test("the gateway's end stops it, and it is due at the next start, after a rest", async () => {
  const dead = await garbage();
  await pass(23);
  const ended = new Promise<void>((resolve) => {
    const { collecting } = fixture.gateway;
    const run = collecting.run.bind(collecting);
    collecting.run = (now, watch, work) => {
      collecting.run = run;
      void schedule.close().then(resolve);
      return run(now, watch, work);
    };
  });
  upMs += 2 * hourMs;
  await schedule.look();
  await ended;
  expect(asked.length).toBe(1);
  const [job] = fixture.gateway.jobs.list({ kind: "gc", failed: false, limit: 1 });
  expect(job?.result).toBe("stopped");
  expect(fixture.gateway.alerts.list().filter(({ kind }) => kind === "gc-failed")).toEqual([]);
  start();
  await schedule.look();
  expect(asked.length, "a gateway that has just started rests").toBe(1);
  await pass(0.5);
  expect(asked.length).toBe(2);
  expect(await user.hasRow(dead)).toBe(false);
});

test("one that fails is an alert until the next succeeds; one that is stopped by hand is none", async () => {
  const alerts = (): string[] => fixture.gateway.alerts.list().map(({ kind }) => kind);
  fails = new HoldfastError(ErrorCode.diskFull, "no room");
  await pass(25);
  expect(alerts()).toEqual(["gc-failed"]);
  expect((await fixture.administration.status()).gc.failed).toBe("no room");
  await pass(10);
  expect(asked.length, "not over and over").toBe(1);
  fails = undefined;
  await pass(15);
  expect(alerts()).toEqual([]);
  fails = new HoldfastError(ErrorCode.cancelled, "stopped");
  await pass(25);
  expect(alerts()).toEqual([]);
  expect(asked.length).toBe(3);
});

test("stopping by hand ends whoever runs", async () => {
  await garbage();
  let ran: boolean | undefined;
  const onProgress = (): void => {
    ran ??= fixture.gateway.collecting.stop();
  };
  await expect(collect(user, {}, { onProgress })).rejects.toMatchObject({ code: ErrorCode.cancelled });
  expect(ran).toBe(true);
  expect(await fixture.administration.stopGc()).toBe(false);
});
