// kill -9 of agent and gateway at random moments of a backup. HOLDFAST_KILLS sets how many (25), HOLDFAST_SEED repeats a run.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { type Random, randomFrom } from "../fidelity/random.ts";
import { idsOf, readAcks, snapshotsOf, twice } from "./ackLog.ts";
import { randomMoment } from "./moment.ts";
import { Program, Site } from "./program.ts";
import { openBesides, restoreBesides } from "./reference.ts";
import { changeSource, describeTree } from "./sourceTree.ts";
import { tearDownAll } from "./tearDown.ts";

const kills = Number(process.env.HOLDFAST_KILLS ?? 25);
const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);
/** Every so many kills the snapshot is also restored, by the agent and by the reference reader. */
const restoreEvery = 5;

const scratch = mkdtempSync(join(tmpdir(), "holdfast-kill-"));
afterAll(() => {
  tearDownAll();
  rmSync(scratch, { recursive: true, force: true });
});

describe("kill -9", () => {
  it(`loses nothing that was acknowledged, ${kills} times`, {
    timeout: 60_000 + kills * 30_000,
  }, async () => {
    console.log(`HOLDFAST_SEED=${seed} HOLDFAST_KILLS=${kills}`);
    const random = randomFrom(seed);
    const site = await Site.create(join(scratch, "site"));
    const source = join(scratch, "source");
    mkdirSync(source);
    const acksPath = join(scratch, "acks");
    const recording = {
      preload: ["recordAcks.ts"],
      environment: { HOLDFAST_TEST_ACKS: acksPath },
    };
    const hits = { agent: 0, gateway: 0, both: 0, unfinished: 0, acknowledged: 0 };

    const unknown = "00".repeat(32);
    expect(await site.absent([unknown]), "the question can be answered with no").toEqual([unknown]);

    changeSource(source, random, 0);
    const first = performance.now();
    await site.backup([source], recording);
    const usualMs = performance.now() - first;

    for (let round = 1; round <= kills; round++) {
      changeSource(source, random, round);
      const linesBefore = readAcks(acksPath).length;
      const agent = site.agent(["backup", source, "--json"], recording);
      await randomMoment(agent, random, { path: acksPath, linesBefore }, usualMs);

      const victim = (["agent", "gateway", "both"] as const)[random.below(3)]!;
      hits[victim] += 1;
      if (victim !== "agent") await site.gateway.end("SIGKILL");
      if (victim !== "gateway") await agent.end("SIGKILL");
      const acknowledged = readAcks(acksPath);
      if (victim !== "agent") {
        if (random.below(3) === 0) await killWhileStarting(site, random);
        await site.start();
      }

      // An agent that was not killed goes on by itself when its gateway is back.
      const survivor = victim === "gateway" ? await agent.ended : undefined;
      expect(survivor?.status ?? 0, survivor?.stderr).toBe(0);
      if (!acknowledged.slice(linesBefore).some(({ event }) => event === "committed")) hits.unfinished += 1;
      hits.acknowledged += idsOf(acknowledged.slice(linesBefore), "stored").size;

      expect(await site.absent(idsOf(acknowledged, "stored")), "acknowledged, but not there").toEqual([]);
      const known = await site.snapshots();
      expect(known).toEqual(expect.arrayContaining(snapshotsOf(acknowledged)));

      const before = readAcks(acksPath);
      const done = await site.backup([source], recording);
      expect(twice(before, readAcks(acksPath).slice(before.length)), "sent again").toEqual([]);
      // What the killed run was told after our look at the log counts as well.
      expect(twice(acknowledged, readAcks(acksPath).slice(acknowledged.length)), "sent again").toEqual([]);
      await site.runAgent(["check", done.snapshot, "--read-data", "100%"]);
      if (round % restoreEvery === 0 || round === kills)
        await compareRestores(site, done.snapshot, source, round);
    }
    console.log(`kills: ${JSON.stringify(hits)}; a whole backup took ${Math.round(usualMs)} ms`);
    // Kills that all came too late, or before anything was acknowledged, would have shown nothing; of so many most hit.
    if (kills >= 25) {
      expect(hits.unfinished, "kills that stopped a run").toBeGreaterThan(0);
      expect(hits.acknowledged, "records acknowledged before a kill").toBeGreaterThan(0);
    }
    await site.stop();
  });
});

/** Starts a gateway that was killed and kills it again, most often while it recovers. */
async function killWhileStarting(site: Site, random: Random): Promise<void> {
  const starting = new Program(["gateway", "run", "--data", site.data]);
  await sleep(200 + random.below(500));
  await starting.end("SIGKILL");
}

async function compareRestores(site: Site, snapshot: string, source: string, round: number): Promise<void> {
  const wanted = describeTree(source);
  const target = join(scratch, `restored ${round}`);
  await site.runAgent(["restore", `${snapshot}:${source}`, "--target", target]);
  expect(describeTree(target)).toEqual(wanted);
  rmSync(target, { recursive: true });
  expect(restoreBesides(await openBesides(site), snapshot, source)).toEqual(wanted);
}
