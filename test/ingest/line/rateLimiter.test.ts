import fc from "fast-check";
import { expect, test } from "vitest";
import { RateLimiter } from "../../../ingest/line/rateLimiter.ts";
import { RateTable } from "../../../ingest/line/rateTable.ts";

/** Time that goes by only where somebody sleeps. */
class FakeClock {
  ms = 0;
  readonly start: Date;

  constructor(start = new Date(2026, 10, 23, 7, 59, 50)) {
    this.start = start;
  }

  readonly wallMs = (): number => this.start.getTime() + this.ms;
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
  const limiter = new RateLimiter(RateTable.parse("1MiB/s"), clock);
  const parts = [4 * MiB, 1000, 8 * MiB, MiB, 500_000, 2 * MiB];
  const total = parts.reduce((sum, part) => sum + part, 0);
  await Promise.all(parts.map((part) => limiter.take(part, signal)));
  // The last one went ahead of its time; who comes now waits it off.
  await limiter.take(1, signal);
  expect(clock.ms).toBeGreaterThanOrEqual((total / MiB) * 1000 - 300);
  expect(clock.ms).toBeLessThanOrEqual((total / MiB) * 1000 + 1000);
});

test("a pause does not save up more than a short burst", async () => {
  const clock = new FakeClock();
  const limiter = new RateLimiter(RateTable.parse("1MiB/s"), clock);
  await limiter.take(1, signal);
  clock.ms += 3_600_000;
  await limiter.take(MiB, signal);
  const before = clock.ms;
  await limiter.take(1, signal);
  expect(clock.ms - before).toBeGreaterThanOrEqual(450);
});

test("the time table counts while it goes on: unlimited before eight, slow after", async () => {
  const clock = new FakeClock();
  const limiter = new RateLimiter(RateTable.parse("1MiB/s on weekdays 8-18, else unlimited"), clock);
  for (let i = 0; i < 1000; i++) await limiter.take(MiB, signal);
  expect(clock.ms).toBe(0);
  clock.ms = 10_000;
  for (let i = 0; i < 10; i++) await limiter.take(MiB, signal);
  expect(clock.ms).toBeGreaterThanOrEqual(18_000);
});

test("what waits for the slow hours goes when they end", async () => {
  const clock = new FakeClock(new Date(2026, 10, 23, 17, 59, 50));
  const limiter = new RateLimiter(RateTable.parse("1KiB/s on weekdays 8-18, else unlimited"), clock);
  await limiter.take(100 * MiB, signal);
  await limiter.take(100 * MiB, signal);
  expect(new Date(clock.wallMs()).getHours()).toBe(18);
  expect(clock.ms).toBeLessThan(12_000);
});

test("first come, first served; who is stopped lets the others go on", async () => {
  const clock = new FakeClock();
  const limiter = new RateLimiter(RateTable.parse("1MiB/s"), clock);
  const order: string[] = [];
  const stop = new AbortController();
  const take = async (name: string, bytes: number, by = signal): Promise<void> => {
    await limiter.take(bytes, by);
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

const minuteMs = 60_000;

type Sent = { readonly atMs: number; readonly bytes: number };

/** Bytes from each moment at which something went, and each at which a minute begins that ends with it, over one minute. */
function overMinutes(sent: readonly Sent[]): { readonly fromMs: number; readonly bytes: number }[] {
  return sent.flatMap(({ atMs }) =>
    [atMs, atMs - minuteMs].map((fromMs) => ({
      fromMs,
      bytes: sent
        .filter((each) => each.atMs >= fromMs && each.atMs <= fromMs + minuteMs)
        .reduce((sum, { bytes }) => sum + bytes, 0),
    })),
  );
}

test("holds the rate within 5 % over any minute, whatever comes and however timers go", async () => {
  const traffic = fc.array(
    fc.record({ bytes: fc.integer({ min: 1, max: 40 }), idleSeconds: fc.oneof(fc.constant(0), fc.nat(20)) }),
    { minLength: 1, maxLength: 40 },
  );
  // Sleeps end early, and up to 0.4 s late.
  const sleeps = fc.infiniteStream(fc.tuple(fc.double({ min: 0.3, max: 1, noNaN: true }), fc.nat(400)));
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 16 * 1024, max: 20_000_000 }),
      fc.integer({ min: 1, max: 4 }),
      traffic,
      sleeps,
      async (rate, lanes, steps, timers) => {
        let nowMs = 1000;
        const limiter = new RateLimiter(RateTable.parse(`${rate}`), {
          wallMs: () => nowMs,
          monotonicMs: () => nowMs,
          sleep: async (milliseconds) => {
            const [share, lateMs] = timers.next().value as [number, number];
            nowMs += Math.max(1, share < 0.9 ? milliseconds * share : milliseconds + lateMs);
          },
        });
        const sent: Sent[] = [];
        /** Spans in which something waited all the time. */
        const busy: { fromMs: number; toMs: number }[] = [];
        for (const { bytes: seconds, idleSeconds } of steps) {
          nowMs += idleSeconds * 1000;
          const fromMs = nowMs;
          const send = async (total: number): Promise<void> => {
            for (let left = total; left > 0; ) {
              const bytes = Math.min(left, limiter.pieceBytes());
              await limiter.take(bytes);
              sent.push({ atMs: nowMs, bytes });
              left -= bytes;
            }
          };
          // Pieces of at most 256 KiB: what is fast is shortened, or it would be a great many.
          const total = Math.ceil(Math.min(rate * seconds, 60_000_000) / lanes);
          await Promise.all(Array.from({ length: lanes }, () => send(total)));
          busy.push({ fromMs, toMs: nowMs });
        }
        for (const { bytes } of overMinutes(sent.filter((_, at) => at % 7 === 0 || at < 50)))
          expect(bytes).toBeLessThanOrEqual(1.05 * 60 * rate);
        for (const { fromMs } of busy.filter((span) => span.toMs - span.fromMs > minuteMs)) {
          const bytes = sent
            .filter(({ atMs }) => atMs >= fromMs && atMs <= fromMs + minuteMs)
            .reduce((sum, each) => sum + each.bytes, 0);
          expect(bytes).toBeGreaterThanOrEqual(0.95 * 60 * rate);
        }
      },
    ),
    { numRuns: 40 },
  );
});
