import { expect, test } from "vitest";
import { Bandwidth } from "../../../../gateway/replica/job/bandwidth.ts";
import { Throttle } from "../../../../gateway/replica/job/throttle.ts";

/** Time that goes by only where somebody sleeps. */
class FakeClock {
  ms = 0;
  readonly start: Date;

  constructor(start = new Date(2026, 10, 23, 7, 59, 50)) {
    this.start = start;
  }

  readonly now = (): Date => new Date(this.start.getTime() + this.ms);
  readonly monotonicMs = (): number => this.ms;
  readonly sleep = async (milliseconds: number): Promise<void> => {
    await Promise.resolve();
    this.ms += milliseconds;
  };
}

const signal = new AbortController().signal;
const MiB = 2 ** 20;

test("goes at the rate, over parts of any size, for several at once", async () => {
  const clock = new FakeClock();
  const throttle = new Throttle(Bandwidth.parse("1MiB/s"), clock);
  const parts = [4 * MiB, 1000, 8 * MiB, MiB, 500_000, 2 * MiB];
  const total = parts.reduce((sum, part) => sum + part, 0);
  await Promise.all(parts.map((part) => throttle.take(part, signal)));
  // The last one went ahead of its time; who comes now waits it off.
  await throttle.take(1, signal);
  expect(clock.ms).toBeGreaterThanOrEqual((total / MiB) * 1000 - 300);
  expect(clock.ms).toBeLessThanOrEqual((total / MiB) * 1000 + 1000);
});

test("a pause does not save up more than a short burst", async () => {
  const clock = new FakeClock();
  const throttle = new Throttle(Bandwidth.parse("1MiB/s"), clock);
  await throttle.take(1, signal);
  clock.ms += 3_600_000;
  await throttle.take(MiB, signal);
  const before = clock.ms;
  await throttle.take(1, signal);
  expect(clock.ms - before).toBeGreaterThanOrEqual(700);
});

test("the time table counts while it goes on: unlimited before eight, slow after", async () => {
  const clock = new FakeClock();
  const throttle = new Throttle(Bandwidth.parse("1MiB/s on weekdays 8-18, else unlimited"), clock);
  for (let i = 0; i < 1000; i++) await throttle.take(MiB, signal);
  expect(clock.ms).toBe(0);
  clock.ms = 10_000;
  for (let i = 0; i < 10; i++) await throttle.take(MiB, signal);
  expect(clock.ms).toBeGreaterThanOrEqual(18_000);
});

test("what waits for the slow hours goes when they end", async () => {
  const clock = new FakeClock(new Date(2026, 10, 23, 17, 59, 50));
  const throttle = new Throttle(Bandwidth.parse("1KiB/s on weekdays 8-18, else unlimited"), clock);
  await throttle.take(100 * MiB, signal);
  await throttle.take(100 * MiB, signal);
  expect(clock.now().getHours()).toBe(18);
  expect(clock.ms).toBeLessThan(12_000);
});

test("first come, first served; who is stopped lets the others go on", async () => {
  const clock = new FakeClock();
  const throttle = new Throttle(Bandwidth.parse("1MiB/s"), clock);
  const order: string[] = [];
  const stop = new AbortController();
  const take = async (name: string, bytes: number, by = signal): Promise<void> => {
    await throttle.take(bytes, by);
    order.push(name);
  };
  const large = take("large", 8 * MiB);
  const stopped = take("stopped", MiB, stop.signal);
  const small = take("small", 1);
  stop.abort();
  await expect(stopped).rejects.toMatchObject({ code: "cancelled" });
  await Promise.all([large, small]);
  expect(order).toEqual(["large", "small"]);
});
