// Seeded runs of the whole gateway (docs/concurrency.md, "The simulation"). HOLDFAST_SEED, HOLDFAST_SIM_STEPS and HOLDFAST_SIM_RUNS say which,
// how long and how many; a failure prints the first two.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, test } from "vitest";
import { devices } from "./agents.ts";
import { simulate } from "./simulation.ts";
import { makeOrigin, type Origin, startMs, watchSyncs } from "./site.ts";

const seed = Number(process.env.HOLDFAST_SEED ?? Date.now() % 1e9);
const steps = Number(process.env.HOLDFAST_SIM_STEPS ?? 200);
const runs = Number(process.env.HOLDFAST_SIM_RUNS ?? 2);

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

test(`agents, commits, garbage collection, copies elsewhere and crashes in any order (seed ${seed})`, async () => {
  for (let run = 0; run < runs; run++) {
    await simulate({ seed: seed + run, steps, folder: scratch, origin, clock: { nowMs: startMs } });
  }
}, 3_600_000);
