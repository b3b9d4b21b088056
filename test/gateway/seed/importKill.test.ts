// kill -9 of the datacentre's gateway while it imports, at files that get their names and at any moment: the same command goes on, and
// everything is there once. HOLDFAST_KILLS sets how many (4), HOLDFAST_SEED repeats a run.

import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { randomFrom } from "../../fidelity/random.ts";
import { carryBox, expectImported } from "./carriedBox.ts";
import { type Death, Dying } from "./dying.ts";

const kills = Number(process.env.HOLDFAST_KILLS ?? 4);
const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);
const scratch = mkdtempSync(join(tmpdir(), "holdfast-import-kill-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Runs an import; it dies at its n-th rename, or is killed so long after it began. True where it came to its end. */
async function imports(data: string, box: string, death: Death | { readonly ms: number }): Promise<boolean> {
  const importing = new Dying("import", data, {
    argument: box,
    ...("rename" in death && { death }),
  });
  if ("ms" in death) {
    await importing.opened();
    await pause(death.ms);
    await importing.kill();
  }
  const { status, killed, stderr } = await importing.ended;
  if (!killed) expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return !killed;
}

test(`an import survives ${kills} kills (seed ${seed})`, { timeout: 60_000 + kills * 20_000 }, async () => {
  const random = randomFrom(seed);
  const carried = await carryBox(scratch, { snapshots: 5, mebibytes: 10 });
  const { datacentre, directory } = carried;
  const before = join(scratch, "before");
  cpSync(datacentre.path, before, { recursive: true });
  let killed = 0;
  for (let round = 0; round < kills; round++) {
    // The first of them is sure to hit: there are six renames at least.
    const rename = 1 + random.below(6);
    const death =
      round % 2 === 0
        ? ({ rename, when: rename % 2 === 0 ? "before" : "behind" } as const)
        : { ms: random.below(400) };
    if (!(await imports(datacentre.path, directory, death))) killed++;
    else if (round < kills - 1) {
      rmSync(datacentre.path, { recursive: true });
      cpSync(before, datacentre.path, { recursive: true });
    }
  }
  console.log(`killed ${killed} of ${kills} times`);
  expect(killed).toBeGreaterThan(0);
  await datacentre.start();
  await expectImported(carried);
  await datacentre.stop();
});
