// The scheduler with clocks that the test sets: days pass in milliseconds.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ScheduleFile } from "../../../agent/schedule/scheduleFile.ts";
import { type BackupEnd, Scheduler } from "../../../agent/schedule/scheduler.ts";
import {
  type DefinedItem,
  emptyDefinition,
  type ItemDefinition,
} from "../../../ingest/schedule/itemDefinition.ts";
import { ErrorCode } from "../../../vault/errors.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const snapshot: BackupEnd = { end: "snapshot", snapshot: "5a", warnings: 0 };
const failure: BackupEnd = { end: "failed", code: ErrorCode.gatewayUnreachable, message: "nobody there" };

let state: string;
let [wallMs, monotonicMs] = [0, 0];
let told: string[];
/** Backups that were begun, as "HH:MM name". */
let begun: string[];
/** What becomes of a backup, and how long it takes. */
let backup: (item: DefinedItem) => { end: BackupEnd; tookMs: number };
let running:
  | { endsMs: number; resolve: (end: BackupEnd) => void; end: BackupEnd; signal: AbortSignal }
  | undefined;
let overlaps: number;
let scheduler: Scheduler;
let file: ScheduleFile;
let waits: number[];

function open(): void {
  file = new ScheduleFile(state);
  scheduler = new Scheduler({
    ...{ wallMs: () => wallMs, monotonicMs: () => monotonicMs, random: () => 0 },
    device: "0".repeat(32),
    file,
    obstacle: async () => undefined,
    backUp: (item, signal) => {
      if (running !== undefined) overlaps++;
      begun.push(`${new Date(wallMs).toISOString().slice(11, 16)} ${item.name}`);
      const { end, tookMs } = backup(item);
      return new Promise((resolve) => {
        running = { endsMs: monotonicMs + tookMs, resolve, end, signal };
      });
    },
    tell: (event, { item = "" }) => told.push(`${event} ${String(item)}`.trim()),
    wake: () => undefined,
  });
}

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "holdfast-schedule-"));
  wallMs = Date.UTC(2026, 10, 26, 0, 30);
  monotonicMs = 5000;
  [told, begun, waits, overlaps, running] = [[], [], [], 0, undefined];
  backup = () => ({ end: snapshot, tookMs: minuteMs });
  open();
});
afterEach(() => {
  expect(overlaps).toBe(0);
  rmSync(state, { recursive: true, force: true });
});

function item(name: string, change: Partial<ItemDefinition>, revision = 1): DefinedItem {
  const definition = { ...emptyDefinition(["/home"]), jitterSeconds: 0, ...change };
  return { id: name.padEnd(32, "0"), name, revision, definition };
}

/** Lets time pass as the program does: it sleeps until the next look, or until a backup ends. */
async function pass(ms: number): Promise<void> {
  const until = monotonicMs + ms;
  for (;;) {
    const waitMs = scheduler.look();
    waits.push(waitMs);
    const endsMs = running === undefined ? Infinity : running.signal.aborted ? monotonicMs : running.endsMs;
    const nextMs = Math.min(until, endsMs, monotonicMs + Math.max(1, waitMs));
    wallMs += nextMs - monotonicMs;
    monotonicMs = nextMs;
    if (running !== undefined && nextMs >= endsMs) {
      running.resolve(running.signal.aborted ? { end: "stopped" } : running.end);
      running = undefined;
      await new Promise(setImmediate);
    }
    if (monotonicMs >= until) return;
  }
}

/** The machine sleeps, or its clock is set. */
function jump(ms: number): void {
  wallMs += ms;
}

describe("what is due", () => {
  test("is backed up at its times, one at a time, in the order of due times", async () => {
    backup = ({ name }) => ({ end: snapshot, tookMs: name === "long" ? 40 * minuteMs : minuteMs });
    scheduler.obey([
      item("short", { rules: ["daily at 02:10"] }),
      item("long", { rules: ["daily at 02:00"] }),
      item("late", { rules: ["daily at 02:05"], skipMissed: true }),
      item("off", { rules: ["daily at 02:00"], enabled: false }),
      item("hand", {}),
    ]);
    await pass(26 * hourMs);
    // What waits for its turn is not missed, however late it begins.
    expect(begun).toEqual(["02:00 long", "02:40 late", "02:41 short", "02:00 long"]);
    expect(told.filter((line) => !line.startsWith("backup-"))).toEqual([]);
  });

  test("costs one look a minute at most while nothing happens", async () => {
    scheduler.obey([item("home", { rules: ["daily at 23:00"] })]);
    await pass(3 * hourMs);
    expect(waits.length).toBeLessThanOrEqual(181);
  });

  test("while its own backup takes longer than the pause is made up for once, and is not missed", async () => {
    backup = () => ({ end: snapshot, tookMs: 50 * minuteMs });
    scheduler.obey([item("home", { rules: ["daily every 15m from 01:00 to 02:00"], skipMissed: true })]);
    await pass(4 * hourMs);
    expect(begun).toEqual(["01:00 home", "01:50 home", "02:40 home"]);
    expect(told).not.toContain("passed-over home");
  });

  test("begins within its window, and is stopped when that closes; the next opening goes on", async () => {
    backup = () => ({ end: snapshot, tookMs: 50 * minuteMs });
    const windows = ["daily from 02:00 to 02:30", "daily from 04:00 to 06:00"];
    scheduler.obey([item("home", { rules: ["daily at 01:00"], windows, stopAtWindowEnd: true })]);
    await pass(6 * hourMs);
    expect(begun).toEqual(["02:00 home", "04:00 home"]);
    const lines = ["backup-begins home", "window-closed home", "backup-stopped home", "backup-begins home"];
    expect(told).toEqual([...lines, "backup-done home"]);
  });

  test("new and changed definitions count from when they are seen", async () => {
    scheduler.obey([item("home", { rules: ["daily at 00:10"] })]);
    await pass(hourMs);
    scheduler.obey([item("home", { rules: ["daily at 01:00", "daily at 02:00"] }, 2)]);
    await pass(hourMs);
    expect(begun).toEqual(["02:00 home"]);
    scheduler.obey([]);
    await pass(48 * hourMs);
    expect(begun).toHaveLength(1);
  });
});

describe("failures", () => {
  test("are tried again with growing pauses, told once for each due time, and over with the first success", async () => {
    let fails = 5;
    backup = () => ({ end: fails-- > 0 ? failure : snapshot, tookMs: 0 });
    scheduler.obey([item("home", { rules: ["daily at 02:00"] })]);
    await pass(3 * hourMs);
    expect(begun.map((line) => line.slice(0, 5))).toEqual([
      "02:00",
      "02:01",
      "02:03",
      "02:07",
      "02:15",
      "02:31",
    ]);
    expect(file.untold()).toMatchObject([
      ["home", { due: "2026-11-26T02:00:00.000Z", outcome: "failed", code: "gateway-unreachable" }],
    ]);
    file.told("home", file.untold()[0]![1]);
    fails = 1000;
    await pass(48 * hourMs);
    // An hour is the longest pause, over due times too.
    expect(begun.length).toBeLessThan(65);
    expect(file.untold()).toMatchObject([["home", { due: "2026-11-28T02:00:00.000Z" }]]);
  });

  test("a state directory that is in use is tried again each minute, and is no failure", async () => {
    let busy = 3;
    backup = () => ({ end: busy-- > 0 ? { end: "busy" } : snapshot, tookMs: 0 });
    scheduler.obey([item("home", { rules: ["daily at 02:00"] })]);
    await pass(3 * hourMs);
    expect(begun.map((line) => line.slice(0, 5))).toEqual(["02:00", "02:01", "02:02", "02:03"]);
    expect(file.untold()).toEqual([]);
  });

  test("cancelled at the gateway: neither tried again nor told, the next due time is next", async () => {
    backup = () => ({ end: { end: "cancelled" }, tookMs: 0 });
    scheduler.obey([item("home", { rules: ["daily at 02:00"] })]);
    await pass(30 * hourMs);
    expect([begun, file.untold()]).toEqual([["02:00 home", "02:00 home"], []]);
  });

  test("of one item do not keep others waiting", async () => {
    backup = ({ name }) => ({ end: name === "bad" ? failure : snapshot, tookMs: 0 });
    scheduler.obey([item("bad", { rules: ["daily at 02:00"] }), item("good", { rules: ["daily at 02:00"] })]);
    await pass(2 * hourMs);
    expect(begun).toContain("02:00 good");
  });
});

describe("clocks", () => {
  const daily = [item("home", { rules: ["daily at 02:00"] })];

  test("a machine that slept makes up for the newest due time, once, within a minute", async () => {
    scheduler.obey(daily);
    await pass(30 * minuteMs);
    jump(50 * hourMs);
    await pass(minuteMs);
    expect(begun).toEqual(["03:00 home"]);
    expect(told.slice(0, 3)).toEqual(["clock-jumped", "made-up-for home", "backup-begins home"]);
    await pass(22 * hourMs);
    expect(begun).toHaveLength(1);
  });

  test("with --skip-missed what came in sleep is passed over, and the gateway is told", async () => {
    scheduler.obey([item("home", { rules: ["daily at 02:00"], skipMissed: true })]);
    await pass(30 * minuteMs);
    jump(8 * hourMs);
    await pass(2 * hourMs);
    expect(begun).toEqual([]);
    expect(file.untold()).toMatchObject([["home", { due: "2026-11-26T02:00:00.000Z", outcome: "missed" }]]);
    await pass(24 * hourMs);
    expect(begun).toEqual(["02:00 home"]);
  });

  test("one that is set ahead makes due what it jumped over, once; set back again, due times go on from now", async () => {
    scheduler.obey(daily);
    await pass(30 * minuteMs);
    jump(365 * 24 * hourMs);
    await pass(10 * minuteMs);
    expect(begun).toHaveLength(1);
    jump(-365 * 24 * hourMs);
    await pass(2 * hourMs);
    expect(begun).toHaveLength(2);
    expect(begun[1]).toBe("02:00 home");
    expect(told.filter((line) => line === "clock-jumped")).toHaveLength(2);
  });

  test("one that is set back a little backs up nothing twice", async () => {
    scheduler.obey(daily);
    await pass(92 * minuteMs);
    jump(-3 * minuteMs);
    await pass(hourMs);
    expect(begun).toHaveLength(1);
  });

  test("set back while the program was not running: as while it ran", async () => {
    scheduler.obey(daily);
    jump(40 * 24 * hourMs);
    await pass(3 * hourMs);
    expect(begun).toEqual(["00:30 home", "02:00 home"]);
    jump(-40 * 24 * hourMs);
    open();
    scheduler.obey(daily);
    await pass(24 * hourMs);
    expect(begun).toHaveLength(3);
  });
});

describe("stop, crash and what is on the disk", () => {
  const daily = [item("home", { rules: ["daily at 02:00"] })];

  test("a backup that is stopped, or whose program is killed, is made again at the next start", async () => {
    scheduler.obey(daily);
    backup = () => ({ end: snapshot, tookMs: hourMs });
    await pass(95 * minuteMs);
    const stopping = scheduler.stop();
    expect(running?.signal.aborted).toBe(true);
    running?.resolve({ end: "stopped" });
    running = undefined;
    await stopping;
    open();
    scheduler.obey(daily);
    await pass(5 * minuteMs);
    expect(begun).toHaveLength(2);
    // Killed: nothing of it is left.
    running = undefined;
    open();
    scheduler.obey(daily);
    await pass(5 * minuteMs);
    expect(begun).toHaveLength(3);
    await pass(2 * hourMs);
    open();
    scheduler.obey(daily);
    await pass(hourMs);
    expect(begun).toHaveLength(3);
  });

  test("a damaged file is as none: nothing before now is made up for", async () => {
    writeFileSync(join(state, "schedule.json"), '{"items":[{"name":"home","revision":1,"settledMs":-4}]}');
    open();
    expect(file.wasDamaged).toBe(true);
    scheduler.obey(daily);
    await pass(2 * hourMs);
    expect(begun).toEqual(["02:00 home"]);
    expect(JSON.parse(readFileSync(join(state, "schedule.json"), "utf8"))).toEqual({
      items: [{ name: "home", revision: 1, settledMs: Date.UTC(2026, 10, 26, 2) }],
      untold: [],
    });
  });
});
