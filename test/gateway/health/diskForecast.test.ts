// The forecast of a disk: from samples alone, and kept over restarts.

import { afterEach, beforeEach, expect, test } from "vitest";
import { DiskForecast, type DiskSample, fillRate } from "../../../gateway/health/diskForecast.ts";
import { GatewayFixture } from "../gatewayFixture.ts";

const hourMs = 3_600_000;
const GiB = 2 ** 30;
let fixture: GatewayFixture;
let nowMs: number;

beforeEach(async () => {
  nowMs = Date.UTC(2026, 10, 1);
  fixture = await GatewayFixture.create({ now: () => new Date(nowMs) });
});
afterEach(async () => {
  await fixture.remove();
});

/** Free space that shrinks by a GiB a day, with what `also` adds. */
const week = (also: (hour: number) => number = () => 0): DiskSample[] =>
  Array.from({ length: 168 }, (_, hour) => ({
    atMs: hour * hourMs,
    freeBytes: 100 * GiB - (hour / 24) * GiB + also(hour),
  }));

test("the rate is that of most days: neither an eviction nor an import bends it", () => {
  expect(fillRate(week())).toBeCloseTo(GiB, -3);
  const evicted = fillRate(week((hour) => (hour > 150 ? 30 * GiB : 0)))!;
  expect(evicted).toBeGreaterThan(0.8 * GiB);
  const imported = fillRate(week((hour) => (hour > 10 ? -30 * GiB : 0)))!;
  expect(imported).toBeLessThan(1.3 * GiB);
  expect(
    fillRate(week().map(({ atMs, freeBytes }) => ({ atMs, freeBytes: 200 * GiB - freeBytes }))),
  ).toBeLessThan(0);
});

test("it says nothing before it knows a day", () => {
  expect(fillRate([])).toBeNull();
  expect(fillRate(week().slice(0, 24))).toBeNull();
  expect(fillRate(week().slice(0, 25))).not.toBeNull();
  expect(fillRate(week().filter((_, n) => n % 24 === 0))).toBeNull();
});

test("one sample an hour, a week of them, over restarts and a clock that is set back", async () => {
  const rows = () => fixture.gateway.catalog.environment.openRaw("disk-samples");
  const count = (): number => [...rows().getKeys()].length;
  let forecast = new DiskForecast(fixture.gateway);
  for (let n = 0; n < 30; n++) {
    await forecast.sample();
    await forecast.sample();
    nowMs += hourMs;
  }
  expect(count()).toBe(30);
  await fixture.stop();
  await fixture.start();
  forecast = new DiskForecast(fixture.gateway);
  const state = await forecast.state();
  expect(state.bytesPerDay).not.toBeNull();
  expect(state).toMatchObject({ reserveBytes: 0, freeBytes: expect.any(Number) });
  nowMs += 6.5 * 24 * hourMs;
  await forecast.sample();
  expect(count()).toBe(13);
  nowMs -= 6.5 * 24 * hourMs;
  await forecast.sample();
  const newest = [...rows().getKeys()].at(-1) as Uint8Array;
  expect(Number(Buffer.from(newest).readBigUInt64BE(0)), "what is ahead of the clock goes").toBe(nowMs);
  Object.assign(fixture.gateway.dataDir.settings, { reserveMiB: 2 ** 40 });
  expect((await forecast.state()).daysLeft).toBe(0);
});
