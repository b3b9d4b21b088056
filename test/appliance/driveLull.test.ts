import { afterEach, expect, test, vi } from "vitest";
import { driveLull } from "../../appliance/drive/driveLull.ts";
import { openThreads } from "../../appliance/drive/openThreads.ts";
import { createCaches } from "../../fs/view/recordOpener.ts";

const MiB = 1024 * 1024;

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test("in a pause a drive lets go of spare memory, and collects where it may", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const collect = vi.fn();
  vi.stubGlobal("gc", collect);
  const caches = createCaches();
  const pool = openThreads();
  const rest = vi.spyOn(pool, "rest");
  const lull = driveLull(caches, pool);
  caches.spare.give(Buffer.from(new ArrayBuffer(MiB)));
  expect(caches.spare.bytes).toBe(MiB);
  lull.opened(20 * MiB);
  vi.advanceTimersByTime(250);
  expect(caches.spare.bytes).toBe(0);
  expect(rest).toHaveBeenCalledOnce();
  expect(collect).toHaveBeenCalledExactlyOnceWith({
    type: "major",
    execution: "sync",
    flavor: "last-resort",
  });
  // Without --expose-gc the rest is given back all the same.
  vi.stubGlobal("gc", undefined);
  lull.opened(20 * MiB);
  vi.advanceTimersByTime(250);
  expect(rest).toHaveBeenCalledTimes(2);
  lull.stop();
  await pool.close();
});
