import { expect, test } from "vitest";
import { pauseAfter, retryPausesDefault, stateAfter } from "../../../../gateway/replica/job/retryPauses.ts";
import { ErrorCode, HoldfastError } from "../../../../vault/errors.ts";

test("pauses double, are spread, and end at some minutes", () => {
  for (const [failures, longest] of [
    [1, 5000],
    [2, 10_000],
    [5, 80_000],
    [7, 300_000],
    [1000, 300_000],
  ] as const) {
    const pauses = Array.from({ length: 50 }, () => pauseAfter(failures, retryPausesDefault));
    expect(Math.max(...pauses)).toBeLessThanOrEqual(longest);
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(longest / 2);
    expect(new Set(pauses).size).toBeGreaterThan(10);
  }
});

test("what ends by itself is waited for; the rest waits for people", () => {
  const after = (code: ErrorCode): string => stateAfter(new HoldfastError(code, "x"));
  expect(after(ErrorCode.replicaUnreachable)).toBe("waiting");
  expect(after(ErrorCode.replicaFull)).toBe("waiting");
  expect(after(ErrorCode.diskFull)).toBe("waiting");
  expect(after(ErrorCode.replicaFenced)).toBe("fenced");
  expect(after(ErrorCode.replicaRefused)).toBe("stopped");
  expect(after(ErrorCode.rollbackDetected)).toBe("stopped");
  expect(after(ErrorCode.replicaDamaged)).toBe("stopped");
  expect(after(ErrorCode.internal)).toBe("stopped");
  expect(after(ErrorCode.cancelled)).toBe("idle");
});
