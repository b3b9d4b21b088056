// kill -9 of a gateway that collects garbage while a backup runs. HOLDFAST_KILLS sets how many (2), HOLDFAST_SEED repeats a run.

import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, expect, it } from "vitest";
import { randomFrom } from "../fidelity/random.ts";
import { eventsOf, holdfast, Program, Site } from "./program.ts";
import { changeSource, describeTree } from "./sourceTree.ts";
import { tearDownAll } from "./tearDown.ts";

const kills = Number(process.env.HOLDFAST_KILLS ?? 2);
const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);
/** Packs are small, so that each round has some that are dead and some that live in part. */
const small = { preload: ["packTarget.ts"], environment: { HOLDFAST_TEST_PACK_BYTES: "400000" } };

const scratch = mkdtempSync(join(tmpdir(), "holdfast-kill-gc-"));
afterAll(() => {
  tearDownAll();
  rmSync(scratch, { recursive: true, force: true });
});

it(`${kills} kills while garbage is collected beside a backup: every snapshot is whole, and the next run ends it`, {
  timeout: 60_000 + kills * 40_000,
}, async () => {
  console.log(`HOLDFAST_SEED=${seed} HOLDFAST_KILLS=${kills}`);
  const random = randomFrom(seed);
  const site = await Site.create(join(scratch, "site"));
  await site.stop();
  await site.start(small);
  const source = join(scratch, "source");
  mkdirSync(source);
  const data = ["--data", site.data];
  const gateway = (...words: string[]) => holdfast(["gateway", ...words, ...data, "--json"]);
  // All that changes is noise, which the guard is there for.
  await holdfast(["guard", "set", "alice", "--off", ...data]);
  await holdfast(["retention", "set", "alice", "--last", "2", "--trash", "0s", ...data]);
  const packFiles = (): number => {
    const folder = join(site.vaultFolder, "packs");
    return readdirSync(folder).reduce((sum, ab) => sum + readdirSync(join(folder, ab)).length, 0);
  };
  let round = 0;
  // Of two folders, by turns: what is three rounds old is garbage.
  const change = (): void => changeSource(source, random, ++round % 2);
  for (let n = 0; n < 4; n++) {
    change();
    await site.backup([source]);
  }
  await gateway("prune");
  const first = eventsOf(await gateway("gc")).at(-1) as { freed_bytes: number };
  expect(first.freed_bytes).toBeGreaterThan(1_000_000);
  const seen = { killedRuns: 0, freed: 0 };
  for (let kill = 1; kill <= kills; kill++) {
    for (let n = 0; n < 2; n++) {
      change();
      await site.backup([source]);
    }
    await gateway("prune");
    change();
    const backup = site.agent(["backup", source, "--json"]);
    await sleep(random.below(1000));
    const collecting = new Program(["gateway", "gc", ...data, "--json"]);
    // From the first step on, which is written to the log.
    const logged = (): number => site.gateway.stderr.split("snapshot-left").length;
    const before = logged();
    while (logged() === before && collecting.running) await sleep(1);
    await sleep(random.below(60));
    await site.gateway.end("SIGKILL");
    if ((await collecting.ended).status !== 0) seen.killedRuns++;
    if (random.below(3) === 0) {
      const starting = new Program(["gateway", "run", ...data], small);
      await sleep(200 + random.below(500));
      await starting.end("SIGKILL");
    }
    await site.start(small);
    const survivor = await backup.ended;
    expect(survivor.status, survivor.stderr).toBe(0);
    const done = eventsOf(await gateway("gc")).at(-1) as { freed_bytes: number };
    seen.freed += done.freed_bytes;
    for (const snapshot of await site.snapshots()) {
      await site.runAgent(["check", snapshot, "--read-data", "100%"]);
    }
    const scrubbed = eventsOf(await gateway("scrub")).at(-1) as { packs: number; problems: number };
    expect(scrubbed.problems).toBe(0);
    // Nothing is left that no row names.
    expect(packFiles()).toBe(scrubbed.packs);
  }
  console.log(`kills: ${JSON.stringify(seen)}`);
  // Kills that all came too late would have shown nothing; of so many most hit.
  if (kills >= 10) expect(seen.killedRuns).toBeGreaterThan(0);
  const target = join(scratch, "restored");
  await site.runAgent(["restore", `latest:${source}`, "--target", target]);
  expect(describeTree(target)).toEqual(describeTree(source));
  await site.stop();
});
