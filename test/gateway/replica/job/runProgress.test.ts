import { expect, test } from "vitest";
import { RunProgress } from "../../../../gateway/replica/job/runProgress.ts";

test("bytes and packs done and left, the rate now, and the time that is left", () => {
  let ms = 0;
  const progress = new RunProgress(() => ms);
  expect(progress.now).toEqual({
    packsDone: 0,
    packsLeft: 0,
    bytesDone: 0,
    bytesLeft: 0,
    bytesPerSecond: 0,
    etaSeconds: 0,
  });
  progress.found(3, 3000);
  expect(progress.now).toMatchObject({ packsLeft: 3, bytesLeft: 3000, etaSeconds: null });
  ms = 1000;
  progress.sent(1, 500);
  expect(progress.now).toMatchObject({ bytesDone: 500, bytesLeft: 2500, bytesPerSecond: 500, etaSeconds: 5 });
  ms = 2000;
  progress.sent(1, 500);
  progress.ended(1, 1000, true);
  expect(progress.now).toMatchObject({
    packsDone: 1,
    packsLeft: 2,
    bytesDone: 1000,
    bytesLeft: 2000,
    etaSeconds: 4,
  });
  progress.ended(2, 1000, false);
  expect(progress.now).toMatchObject({ packsDone: 1, packsLeft: 1, bytesDone: 1000, bytesLeft: 1000 });
  // Faster from now on: the average follows.
  for (let i = 0; i < 60; i++) {
    ms += 1000;
    progress.sent(3, 10_000);
  }
  expect(progress.now.bytesPerSecond).toBeGreaterThan(9000);
  expect(progress.now.bytesLeft).toBe(0);
});
