// Files of several file systems in one backup: their inodes may be equal, so their numbers must not be.

import { linkSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { BackupOutcome } from "../../../agent/backup/request.ts";
import { DeviceNumbers, firstDeviceOf } from "../../../agent/source/entryDraft.ts";
import { resolveTopPaths } from "../../../agent/source/topPaths.ts";
import { backupFixture, old, type RunOptions } from "./backupFixture.ts";
import { inodesOf } from "./readBack.ts";

const fx = backupFixture();
const later: RunOptions = { aheadMs: 60_000 };

const memory = "/dev/shm";

describe("file systems", () => {
  test.skipIf(statSync(memory, { throwIfNoEntry: false })?.dev === statSync("/tmp").dev)(
    "keep their numbers from run to run, and a new one gets one that none had",
    async () => {
      const other = mkdtempSync(join(memory, "holdfast-"));
      try {
        const paths = resolveTopPaths([fx.source, other]);
        writeFileSync(join(fx.source, "b"), "one");
        linkSync(join(fx.source, "b"), join(fx.source, "c"));
        const run = (): Promise<BackupOutcome> => fx.run({ paths }, later);
        await fx.run({}, later);
        writeFileSync(join(other, "a"), "two");
        linkSync(join(other, "a"), join(other, "b"));
        await run();
        const deviceOf = (path: string): string =>
          inodesOf(fx.gateway, path).values().next().value?.split(":")[0] ?? "";
        const [here, there] = [deviceOf(fx.source), deviceOf(other)];
        expect(here).not.toBe(there);
        // Only files of the one whose number is not the first are made anew.
        old(join(other, "a"));
        await run();
        expect([deviceOf(fx.source), deviceOf(other)]).toEqual([here, there]);
        old(join(fx.source, "b"));
        await run();
        expect([deviceOf(fx.source), deviceOf(other)]).toEqual([here, there]);
      } finally {
        rmSync(other, { recursive: true });
      }
    },
  );

  test("never share a number, whatever the base says", () => {
    const step = fc.record({ device: fc.nat(9), number: fc.option(fc.bigInt({ min: 1n, max: 12n })) });
    fc.assert(
      fc.property(fc.array(step), fc.constantFrom(1n, 4n), (steps, first) => {
        const numbers = new DeviceNumbers(first);
        const given = new Map<number, bigint>();
        for (const { device, number } of steps) {
          if (number !== null) numbers.learn(device, number);
          if (!numbers.knows(device))
            expect(number === null || [...given.values()].includes(number)).toBe(true);
          const now = numbers.of(device);
          expect(given.get(device) ?? now).toBe(now);
          given.set(device, now);
        }
        expect(new Set(given.values()).size).toBe(given.size);
      }),
    );
    expect(firstDeviceOf(0)).toBe(1n);
    expect(firstDeviceOf(7)).toBe(7n * 2n ** 20n + 1n);
  });
});
