// kill -9 of an agent, and of the box that it backs up to, inside one portion of a backup with a limit, with and without --cycle: the next
// runs go on with what was acknowledged, and make it whole. HOLDFAST_KILLS sets how many (4), HOLDFAST_SEED repeats a run.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { randomFrom } from "../fidelity/random.ts";
import { idsOf, readAcks, snapshotsOf, twice } from "./ackLog.ts";
import { Box } from "./box.ts";
import { randomMoment } from "./moment.ts";
import { eventsOf, type Ran, type RunOptions, Site } from "./program.ts";
import { changeSource, describeTree } from "./sourceTree.ts";
import { tearDownAll } from "./tearDown.ts";

const kills = Number(process.env.HOLDFAST_KILLS ?? 4);
const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);
/** Every so many kills what was saved is restored, and at the end. */
const restoreEvery = 5;
const portionsMax = 40;

const scratch = mkdtempSync(join(tmpdir(), "holdfast-kill-portions-"));
const source = join(scratch, "source");
const acksPath = join(scratch, "acks");
const recording: RunOptions = { preload: ["recordAcks.ts"], environment: { HOLDFAST_TEST_ACKS: acksPath } };
afterAll(() => {
  tearDownAll();
  rmSync(scratch, { recursive: true, force: true });
});

type Portion = { readonly event: string; readonly snapshot: string; readonly incomplete: boolean };

/** What was committed, as the agent said it: portions, and the last line where there is one. */
function committedIn(ran: Pick<Ran, "stdout">): Portion[] {
  // Who was killed may have been within a line.
  const stdout = ran.stdout.slice(0, ran.stdout.lastIndexOf("\n") + 1);
  const events = stdout === "" ? [] : eventsOf({ status: 0, stdout, stderr: "" });
  return (events as Portion[]).filter(({ event }) => event === "portion" || event === "done");
}

describe("kill -9 in a portion", () => {
  it(`loses nothing that was acknowledged, ${kills} times`, {
    timeout: 60_000 + kills * 40_000,
  }, async () => {
    console.log(`HOLDFAST_SEED=${seed} HOLDFAST_KILLS=${kills}`);
    const random = randomFrom(seed);
    const site = await Site.create(join(scratch, "site"));
    const box = await Box.prepare(site, join(scratch, "box"));
    await box.start();
    const questions = box.questions(site.state);
    mkdirSync(source);
    const hits = { agent: 0, box: 0, both: 0, unfinished: 0, acknowledged: 0 };
    const incomplete = new Set<string>();
    let usualMs = 1500;
    for (let round = 1; round <= kills; round++) {
      changeSource(source, random, round);
      // Two portions or more of what is new.
      const limited = ["backup", source, "--json", "--limit-size", `${1500 + random.below(1500)}KiB`];
      const cycle = round % 2 === 0 ? ["--cycle"] : [];
      const linesBefore = readAcks(acksPath).length;
      const began = performance.now();
      const agent = site.agent([...limited, ...cycle], recording);
      await randomMoment(agent, random, { path: acksPath, linesBefore }, usualMs);
      const victim = (["agent", "box", "both"] as const)[random.below(3)]!;
      hits[victim] += 1;
      if (victim !== "agent") await box.gateway.end("SIGKILL");
      if (victim !== "box") await agent.end("SIGKILL");
      const acknowledged = readAcks(acksPath);
      if (victim !== "agent") await box.start();
      // An agent that was not killed goes on by itself when the box is back.
      const ran = await agent.ended;
      if (victim === "box") expect(ran.status, ran.stderr).toBe(0);
      else usualMs = Math.max(300, performance.now() - began);
      const run = acknowledged.slice(linesBefore);
      if (!run.some(({ event }) => event === "committed")) hits.unfinished += 1;
      hits.acknowledged += idsOf(run, "stored").size;

      expect(await questions.absent(idsOf(acknowledged, "stored")), "acknowledged, but not there").toEqual(
        [],
      );
      const told = committedIn(ran);
      for (const each of told) if (each.incomplete) incomplete.add(each.snapshot);

      let last = told.at(-1);
      for (let portions = 0; last === undefined || last.event !== "done" || last.incomplete; portions++) {
        expect(portions).toBeLessThan(portionsMax);
        // What was begun with --cycle goes on with it, and without; and the other way round.
        const next = await site.runAgent(
          [...limited, ...(random.below(3) === 0 ? ["--cycle"] : [])],
          recording,
        );
        for (const each of committedIn(next)) {
          if (each.incomplete) incomplete.add(each.snapshot);
          last = each;
        }
      }
      expect(twice(acknowledged, readAcks(acksPath).slice(acknowledged.length)), "sent again").toEqual([]);
      const committed = snapshotsOf(readAcks(acksPath));
      expect(await questions.snapshots()).toEqual(expect.arrayContaining(committed));
      if (round % restoreEvery !== 0 && round !== kills) continue;
      const target = join(scratch, "restored");
      await site.runAgent(["restore", `${last.snapshot}:${source}`, "--target", target]);
      expect(describeTree(target)).toEqual(describeTree(source));
      rmSync(target, { recursive: true });
    }
    console.log(`kills: ${JSON.stringify(hits)}; ${incomplete.size} portions were told of`);
    const rows = await site.runAgent(["snapshots", "--json"]);
    const listed = JSON.parse(rows.stdout) as { id: string; incomplete: boolean }[];
    for (const { id, incomplete: part } of listed) if (incomplete.has(id)) expect(part).toBe(true);
    expect(listed.some(({ incomplete: part }) => part)).toBe(true);
    // Of so many most hit.
    if (kills >= 25) {
      expect(hits.unfinished, "kills that stopped a portion").toBeGreaterThan(0);
      expect(hits.acknowledged, "records acknowledged before a kill").toBeGreaterThan(0);
    }
    await box.stop();
    await site.stop();
  });
});
