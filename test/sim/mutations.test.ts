// The simulation finds planted bugs. A few that it finds at once are tried here; HOLDFAST_SIM_MUTATIONS=all tries all of them, which takes
// some minutes. A bug counts as found when a run says which invariant does not hold; where a seed misses it, since the disk has its own
// time, the next ones are tried.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { devices } from "./agents.ts";
import { Violation } from "./invariants.ts";
import { mutations } from "./mutations.ts";
import { simulate } from "./simulation.ts";
import { makeOrigin, type Origin, startMs, watchSyncs } from "./site.ts";

const all = process.env.HOLDFAST_SIM_MUTATIONS === "all";
const runsMost = Number(process.env.HOLDFAST_SIM_RUNS ?? 20);

const scratch = mkdtempSync(join(tmpdir(), "holdfast-sim-"));
let origin: Origin;
let unwatch: () => void;

beforeAll(async () => {
  unwatch = watchSyncs();
  origin = await makeOrigin(scratch, devices);
});
afterAll(() => {
  unwatch();
  rmSync(scratch, { recursive: true, force: true });
});

test.each(mutations.filter(({ quick }) => all || quick))(
  "$name",
  async ({ plant, seed, steps }) => {
    let found: unknown;
    let run = 0;
    for (; run < runsMost && found === undefined; run++) {
      const clock = { nowMs: startMs };
      const takeOut = plant(clock);
      try {
        await simulate({ seed: seed + run, steps, folder: scratch, origin, clock });
      } catch (error) {
        found = error;
      } finally {
        takeOut();
      }
    }
    if (process.env.TEST_LOG !== undefined)
      console.log(`run ${run}: ${String((found as Error).message).split("step")[0]}`);
    expect(found).toBeInstanceOf(Violation);
  },
  600_000,
);
