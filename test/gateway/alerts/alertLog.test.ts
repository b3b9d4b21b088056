// Alerts: one open alert for each kind and subject, numbers for who delivers them, and what survives a restart.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AlertLog, type RaisedAlert } from "../../../gateway/alerts/alertLog.ts";
import { type IndexEnvironment, openIndexEnvironment } from "../../../gateway/index/environment.ts";
import { ErrorCode } from "../../../vault/errors.ts";

let folder: string;
let environment: IndexEnvironment;
let alerts: AlertLog;
let nowMs: number;
let told: number;

function open(): void {
  environment = openIndexEnvironment(join(folder, "catalog"));
  alerts = new AlertLog(environment, () => new Date(nowMs));
  alerts.watch(() => told++);
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-alerts-"));
  nowMs = Date.UTC(2026, 10, 26);
  told = 0;
  open();
});
afterEach(async () => {
  await environment.close();
  rmSync(folder, { recursive: true, force: true });
});

const disk = (
  figures: RaisedAlert["figures"],
  severity: RaisedAlert["severity"] = "warning",
): RaisedAlert => ({
  ...{ kind: "disk-low", subject: "/srv", message: "the disk fills up", severity, figures },
});

test("raised again it is the same alert, with the newest figures, and nobody is told twice", async () => {
  const first = alerts.raise(disk({ free_bytes: 10 }));
  nowMs += 1000;
  const again = alerts.raise(disk({ free_bytes: 5 }));
  expect(again).toMatchObject({ id: first.id, times: 2, figures: { free_bytes: 5 }, change: first.change });
  expect([again.firstSeen, again.lastSeen]).toEqual(["2026-11-26T00:00:00.000Z", "2026-11-26T00:00:01.000Z"]);
  expect(told).toBe(1);
  const other = alerts.raise({ ...disk({}), subject: "/other" });
  expect(alerts.list().map(({ id }) => id)).toEqual([other.id, first.id]);
  expect(alerts.changedAfter(first.change)).toEqual([other]);

  alerts.acknowledge(first.id, "known");
  await environment.close();
  open();
  expect(alerts.raise(disk({})).acknowledged).toMatchObject({ note: "known" });
  expect(told, "it is still the same").toBe(2);
  const worse = alerts.raise(disk({}, "critical"));
  expect(worse).toMatchObject({ id: first.id, acknowledged: null, severity: "critical" });
  expect(alerts.changedAfter(other.change)).toEqual([worse]);
});

test("what is over is told once more, and comes back as a new one", () => {
  const first = alerts.raise(disk({}));
  const over = alerts.resolve("disk-low", "/srv");
  expect(over).toMatchObject({ id: first.id, resolved: "2026-11-26T00:00:00.000Z" });
  expect(alerts.resolve("disk-low", "/srv"), "only once").toBeUndefined();
  expect(alerts.list()).toEqual([]);
  expect(alerts.list(true)).toEqual([over]);
  const second = alerts.raise(disk({}));
  expect(second.id).toBeGreaterThan(first.id);
  expect(alerts.changedAfter(0)).toEqual([over, second]);
  expect(alerts.changedAfter(alerts.newestChange())).toEqual([]);
  expect(told).toBe(3);
  expect(() => alerts.acknowledge(99, "")).toThrow(expect.objectContaining({ code: ErrorCode.notFound }));
});

test("of what is over the newest three hundred stay, of what is open everything", () => {
  const lasting = alerts.raise(disk({}));
  environment.write(() => {
    for (let n = 0; n < 302; n++) {
      alerts.raise({ ...disk({}), subject: `${n}` });
      alerts.resolve("disk-low", `${n}`);
    }
  });
  const all = alerts.list(true);
  expect(all).toHaveLength(301);
  expect(all.at(-1)?.id).toBe(lasting.id);
  expect(all.at(-2)?.subject).toBe("2");
});
