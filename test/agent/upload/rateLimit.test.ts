// The limit on a clock of the test's own: no span but a short burst goes over the rate.

import fc from "fast-check";
import { expect, test } from "vitest";
import { RateLimit } from "../../../agent/upload/rateLimit.ts";

test("every span of time stays within the rate and a burst, and nothing waits longer than it must", async () => {
  const step = fc.record({ bytes: fc.integer({ min: 1, max: 100_000 }), idleMs: fc.nat(2000) });
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.array(step, { minLength: 1, maxLength: 30 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 100 })),
      async (rate, steps, early) => {
        let nowMs = 5000;
        let sleeps = 0;
        const limit = new RateLimit(
          rate,
          () => nowMs,
          async (ms) => {
            // Timers may be early.
            const share = ++sleeps % 50 === 0 ? 1 : (early.next().value ?? 100) / 100;
            nowMs += Math.max(ms * share, 0.01);
          },
        );
        const takes: { readonly atMs: number; readonly bytes: number }[] = [];
        let idleMs = 0;
        for (const { bytes, idleMs: pause } of steps) {
          nowMs += pause;
          idleMs += pause;
          await limit.take(bytes);
          takes.push({ atMs: nowMs, bytes });
        }
        for (const [first, { atMs, bytes: own }] of takes.entries()) {
          let bytes = own;
          for (const later of takes.slice(first + 1)) {
            bytes += later.bytes;
            // The bytes after the first take of a span had to be waited for within it, but for the burst.
            const spanMs = later.atMs - atMs;
            expect(((bytes - own) * 1000) / rate).toBeLessThanOrEqual(spanMs + 250 + 1e-3);
          }
        }
        const total = takes.reduce((sum, { bytes }) => sum + bytes, 0);
        expect(nowMs - 5000 - idleMs).toBeLessThanOrEqual((total * 1000) / rate + 1);
      },
    ),
    { numRuns: 200 },
  );
});

test("a wait that fails, fails the take", async () => {
  const limit = new RateLimit(
    1,
    () => 0,
    () => Promise.reject(new Error("stopped")),
  );
  await expect(limit.take(10)).rejects.toThrow("stopped");
});
