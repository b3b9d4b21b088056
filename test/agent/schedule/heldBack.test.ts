// Backups that wait for mains, or for a line that is not metered, with clocks that the test sets.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ScheduleFile } from "../../../agent/schedule/scheduleFile.ts";
import { Scheduler } from "../../../agent/schedule/scheduler.ts";
import {
  type DefinedItem,
  emptyDefinition,
  type ItemDefinition,
} from "../../../ingest/schedule/itemDefinition.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const battery = "the machine runs on its battery";

let state: string;
let wallMs: number;
let obstacle: string | undefined;
let asked: number;
let woken: boolean;
/** What was begun, as "HH:MM name", and what was told. */
let begun: string[];
let told: string[];
let file: ScheduleFile;
let scheduler: Scheduler;

function open(): void {
  file = new ScheduleFile(state);
  scheduler = new Scheduler({
    ...{ wallMs: () => wallMs, monotonicMs: () => wallMs, random: () => 0, device: "0".repeat(32), file },
    obstacle: async () => {
      asked++;
      return obstacle;
    },
    backUp: async ({ name }) => {
      begun.push(`${new Date(wallMs).toISOString().slice(11, 16)} ${name}`);
      return { end: "snapshot", snapshot: "5a", warnings: 0 };
    },
    tell: (event, { item }) => told.push(`${event} ${String(item)}`),
    wake: () => {
      woken = true;
    },
  });
}

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "holdfast-held-"));
  wallMs = Date.UTC(2026, 10, 26, 0, 30);
  [begun, told, asked, obstacle] = [[], [], 0, battery];
  open();
});
afterEach(() => rmSync(state, { recursive: true, force: true }));

function item(name: string, change: Partial<ItemDefinition>): DefinedItem {
  const definition = { ...emptyDefinition(["/home"]), jitterSeconds: 0, ...change };
  return { id: name.padEnd(32, "0"), name, revision: 1, definition };
}

/** Lets time pass as the program does. */
async function pass(ms: number): Promise<void> {
  const until = wallMs + ms;
  while (wallMs < until) {
    woken = false;
    const waitMs = scheduler.look();
    await new Promise(setImmediate);
    if (!woken) wallMs = Math.min(until, wallMs + Math.max(1, waitMs));
  }
}

test("what asks for it waits, is told once, and is made up for once when it is over; others go on", async () => {
  const rules = ["daily at 02:00", "daily at 04:00"];
  scheduler.obey([
    item("laptop", { rules, skipOnBattery: true, skipMissed: true }),
    item("other", { rules: ["daily at 03:00"] }),
  ]);
  await pass(4 * hourMs);
  expect(begun).toEqual(["03:00 other"]);
  expect(told.filter((line) => line.endsWith("laptop"))).toEqual(["backup-held laptop"]);
  const report = { due: "2026-11-26T02:00:00.000Z", outcome: "held", code: "cancelled", message: battery };
  expect(file.untold()).toEqual([["laptop", report]]);
  expect(new ScheduleFile(state).untold()).toEqual(file.untold());
  // It is asked about once a minute, and only while it is due.
  expect(asked).toBeGreaterThan(100);
  expect(asked).toBeLessThanOrEqual(151);
  obstacle = undefined;
  await pass(20 * hourMs);
  expect(begun).toEqual(["03:00 other", "04:30 laptop"]);
  obstacle = "again";
  await pass(4 * hourMs);
  expect(told.filter((line) => line === "backup-held laptop")).toHaveLength(2);
  // What does not ask for it was never asked about.
  expect(begun.at(-1)).toBe("03:00 other");
});

test("a start while it waits is as one while the machine was off", async () => {
  const items = [item("laptop", { rules: ["daily at 02:00"], skipOnMetered: true })];
  scheduler.obey(items);
  await pass(2 * hourMs);
  open();
  obstacle = undefined;
  scheduler.obey(items);
  await pass(2 * minuteMs);
  expect(begun).toEqual(["02:30 laptop"]);
  expect(told).toContain("made-up-for laptop");
});

test("one that is stopped while it is asked about is not begun", async () => {
  scheduler.obey([item("laptop", { rules: ["daily at 02:00"], skipOnBattery: true })]);
  await pass(89 * minuteMs);
  wallMs += minuteMs;
  obstacle = undefined;
  scheduler.look();
  await scheduler.stop();
  expect(begun).toEqual([]);
  expect(told).toEqual(["backup-stopped laptop"]);
});
