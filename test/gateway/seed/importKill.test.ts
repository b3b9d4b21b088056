// kill -9 of the datacentre's gateway while it imports, at files that get their names and at any moment, and a box's disk that is pulled at
// any moment: the same command goes on, and everything is there once. HOLDFAST_KILLS sets how many (6), HOLDFAST_SEED repeats a run.

import { cpSync, existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { type Random, randomFrom } from "../../fidelity/random.ts";
import { carryBox, expectImported } from "./carriedBox.ts";
import { type Death, Dying } from "./dying.ts";

const kills = Number(process.env.HOLDFAST_KILLS ?? 6);
const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);
const scratch = mkdtempSync(join(tmpdir(), "holdfast-import-kill-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** At a file that gets its name, so long after it began, or with its disk gone at a pack. */
type Stop = Death | { readonly ms: number };

function anyStop(random: Random, round: number): Stop {
  // Of six renames and packs at least: the first are sure to hit.
  const at = 1 + random.below(6);
  if (round % 3 === 0) return { at, when: "pull" };
  return round % 3 === 1
    ? { at, when: random.below(2) === 0 ? "before" : "behind" }
    : { ms: random.below(400) };
}

/** Runs an import that is stopped. True where it came to its end before. */
async function imports(data: string, box: string, stop: Stop): Promise<boolean> {
  const told = { argument: box, ...("at" in stop && { death: stop }) };
  const importing = new Dying("import", data, told);
  if ("ms" in stop) {
    await importing.opened();
    await pause(stop.ms);
    await importing.kill();
  }
  const { status, killed, stderr } = await importing.ended;
  if (killed) return false;
  if (existsSync(`${box}-pulled`)) {
    renameSync(`${box}-pulled`, box);
    expect(stderr).toContain("seed-source-gone");
    return false;
  }
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return true;
}

test(`an import survives ${kills} kills and pulls (seed ${seed})`, {
  timeout: 60_000 + kills * 20_000,
}, async () => {
  const random = randomFrom(seed);
  const carried = await carryBox(scratch, { snapshots: 5, mebibytes: 10 });
  const { datacentre, directory } = carried;
  const before = join(scratch, "before");
  cpSync(datacentre.path, before, { recursive: true });
  const hits = { pull: 0, rename: 0, time: 0, late: 0 };
  for (let round = 0; round < kills; round++) {
    const stop = anyStop(random, round);
    if (!(await imports(datacentre.path, directory, stop)))
      hits["ms" in stop ? "time" : stop.when === "pull" ? "pull" : "rename"]++;
    else {
      hits.late++;
      if (round === kills - 1) continue;
      rmSync(datacentre.path, { recursive: true });
      cpSync(before, datacentre.path, { recursive: true });
    }
  }
  console.log(`stopped: ${JSON.stringify(hits)}`);
  expect(hits.pull).toBeGreaterThan(0);
  await datacentre.start();
  await expectImported(carried);
  await datacentre.stop();
});
