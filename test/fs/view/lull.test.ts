import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Lull } from "../../../fs/view/lull.ts";

const MiB = 1024 * 1024;

describe("a lull", () => {
  let lulls: number;
  let lull: Lull;
  beforeEach(() => {
    vi.useFakeTimers();
    lulls = 0;
    lull = new Lull(() => lulls++);
  });
  afterEach(() => {
    lull.stop();
    vi.useRealTimers();
  });

  it("comes once, when nothing was done for a moment", () => {
    for (let at = 0; at < 100; at++) {
      lull.opened(MiB);
      vi.advanceTimersByTime(100);
      expect(lulls).toBe(0);
    }
    vi.advanceTimersByTime(500);
    expect(lulls).toBe(1);
    vi.advanceTimersByTime(60_000);
    expect(lulls).toBe(1);
    lull.opened(20 * MiB);
    vi.advanceTimersByTime(250);
    expect(lulls).toBe(2);
  });

  it("does not come after little, and little adds up", () => {
    for (let at = 0; at < 15; at++) {
      lull.opened(MiB);
      vi.advanceTimersByTime(10_000);
    }
    expect(lulls).toBe(0);
    lull.opened(MiB);
    vi.advanceTimersByTime(250);
    expect(lulls).toBe(1);
    // Many small ones leave something behind too.
    for (let at = 0; at < 5000; at++) lull.opened(0);
    vi.advanceTimersByTime(500);
    expect(lulls).toBe(2);
  });

  it("comes late after a start, whatever is done meanwhile", () => {
    lull.begin();
    vi.advanceTimersByTime(4900);
    expect(lulls).toBe(0);
    vi.advanceTimersByTime(100);
    expect(lulls).toBe(1);
    lull.begin();
    lull.opened(MiB);
    vi.advanceTimersByTime(5000);
    expect(lulls).toBe(1);
    vi.advanceTimersByTime(250);
    expect(lulls).toBe(2);
  });

  it("never comes after it was stopped", () => {
    lull.begin();
    lull.stop();
    lull.opened(20 * MiB);
    vi.advanceTimersByTime(60_000);
    expect(lulls).toBe(0);
  });
});
