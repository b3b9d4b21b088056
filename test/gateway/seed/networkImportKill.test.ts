// kill -9 of the datacentre, and of the box's gateway, while a box is imported over the network, at any byte that comes down the line: it
// goes on by itself or by the same command, and everything is there once. HOLDFAST_KILLS sets how many (4), HOLDFAST_SEED repeats a run.

import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { WatchedLine } from "../../faults/watchedLine.ts";
import { randomFrom } from "../../fidelity/random.ts";
import { carryBox, expectImported } from "./carriedBox.ts";
import { Dying } from "./dying.ts";

const kills = Number(process.env.HOLDFAST_KILLS ?? 4);
const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);
const scratch = mkdtempSync(join(tmpdir(), "holdfast-network-import-kill-"));
const victims = ["datacentre", "box", "both"] as const;
let line: WatchedLine | undefined;
let box: Dying | undefined;
afterAll(async () => {
  await box?.kill();
  await line?.close();
  rmSync(scratch, { recursive: true, force: true });
});

test(`an import over the network survives ${kills} kills (seed ${seed})`, {
  timeout: 60_000 + kills * 20_000,
}, async () => {
  const random = randomFrom(seed);
  line = await WatchedLine.start();
  const { url } = line;
  const carried = await carryBox(scratch, { url, snapshots: 5, mebibytes: 8 });
  const { datacentre, directory, boxKey } = carried;
  const before = join(scratch, "before");
  cpSync(datacentre.path, before, { recursive: true });
  const startBox = async (): Promise<void> => {
    box = new Dying("serve", directory, { boxKey });
    line!.leadTo((await box.opened())!);
  };
  await startBox();
  /** Bytes that come down in a whole import, at least. */
  const total = 5 * 8 * 2 ** 20;
  const hits = { datacentre: 0, box: 0, both: 0, late: 0 };
  for (let round = 0; round < kills; round++) {
    const victim = victims[round < victims.length ? round : random.below(victims.length)]!;
    const importing = new Dying("import", datacentre.path, { argument: url });
    const come = line.passes("down", random.below(total));
    const over = await Promise.race([come.then(() => false), importing.ended.then(() => true)]);
    if (over) hits.late++;
    else {
      hits[victim]++;
      if (victim !== "box") await importing.kill();
      if (victim !== "datacentre") {
        await box!.kill();
        await pause(random.below(1000));
        await startBox();
      }
    }
    // One that was not killed waits for the box, and goes on with the pack that was cut off.
    const { status, killed, stderr, stdout } = await importing.ended;
    if (killed) continue;
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(JSON.parse(stdout.at(-1)!)).toMatchObject({ state: "imported", left: 0, whole: 5 });
    if (round === kills - 1) continue;
    rmSync(datacentre.path, { recursive: true });
    cpSync(before, datacentre.path, { recursive: true });
  }
  console.log(`kills: ${JSON.stringify(hits)}`);
  expect(hits.late).toBeLessThan(kills);
  await datacentre.start();
  await expectImported(carried, url);
  await datacentre.stop();
});
