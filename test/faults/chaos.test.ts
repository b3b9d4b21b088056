// Everything at once: kill -9 and SIGSTOP of gateway and agent, while backups run, garbage is collected, a replica is written, and while the gateway
// starts; a disk that is full, slow, or answers EIO. HOLDFAST_KILLS sets how many are killed at least (2), HOLDFAST_SEED repeats a run.
//
// After each trouble: what was acknowledged in this round is there. After each round (some troubles): the next backup sends none of it again and
// is whole, what retention does not keep can be collected, and scrub and check find nothing. Now and then, and at the end: restored by the
// agent and by the reference reader, and the replica read back.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { randomFrom } from "../fidelity/random.ts";
import { idsOf, readAcks, snapshotsOf, twice } from "./ackLog.ts";
import { ChaosSite, type Trouble, troubles } from "./chaosSite.ts";
import { faultTools } from "./faultyDisk.ts";
import { eventsOf, type Ran } from "./program.ts";
import { openBesides, restoreBesides } from "./reference.ts";
import { canRun } from "./requirements.ts";
import { changeSource, describeTree } from "./sourceTree.ts";
import { tearDownAll } from "./tearDown.ts";

const kills = Number(process.env.HOLDFAST_KILLS ?? 2);
const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);
/** Every so many rounds all is restored. */
const restoreEvery = 5;

const scratch = mkdtempSync(join(tmpdir(), "holdfast-chaos-"));
afterAll(() => {
  tearDownAll();
  rmSync(scratch, { recursive: true, force: true });
});

describe.skipIf(!canRun("chaos", ...faultTools, "fallocate"))("chaos", () => {
  it(`loses nothing that was acknowledged, ${kills} kills and more`, {
    timeout: 120_000 + kills * 60_000,
  }, async () => {
    console.log(`HOLDFAST_SEED=${seed} HOLDFAST_KILLS=${kills}`);
    const random = randomFrom(seed);
    const site = await ChaosSite.create(scratch, random);
    const { source } = site;
    mkdirSync(source);
    changeSource(source, random, 0);
    await site.backup();
    const left: Trouble[] = [];
    /** Each kind once in some order, then again. */
    const nextTrouble = (): Trouble => {
      if (left.length === 0) left.push(...troubles);
      return left.splice(random.below(left.length), 1)[0]!;
    };
    for (let round = 1; ; round++) {
      let from = readAcks(site.acksPath).length;
      const roundBegan = from;
      for (let n = 1 + random.below(8); n > 0 && site.figures.kills < kills; n--) {
        changeSource(source, random, random.below(2));
        const trouble = nextTrouble();
        await site.trouble(trouble);
        const acks = readAcks(site.acksPath);
        // What no snapshot names may be collected as soon as its lease has ended, by a commit.
        if (trouble === "kill gateway while it collects") {
          from = Math.max(from, acks.findLastIndex(({ event }) => event === "committed") + 1);
        }
        expect(
          await site.site.absent(idsOf(acks.slice(from), "stored")),
          `acknowledged, but not there after: ${trouble}`,
        ).toEqual([]);
        // Retention keeps more than a round commits.
        const committed = snapshotsOf(acks.slice(roundBegan));
        expect(await site.site.snapshots()).toEqual(expect.arrayContaining(committed));
      }
      const before = readAcks(site.acksPath);
      const { snapshot } = await site.backup();
      const sentAgain = twice(before.slice(from), readAcks(site.acksPath).slice(before.length));
      expect(sentAgain, "sent again").toEqual([]);
      await upkeep(site, snapshot);
      const isLast = site.figures.kills >= kills;
      if (isLast || round % restoreEvery === 0) await restores(site, snapshot, round);
      if (isLast) break;
      console.log(`round ${round}: ${JSON.stringify(site.figures)}`);
    }
    console.log(`chaos: ${JSON.stringify(site.figures)}`);
    await site.site.stop();
    site.disk.remove();
  });
});

const last = (ran: Ran): Readonly<Record<string, unknown>> => eventsOf(ran).at(-1)!;

async function upkeep(site: ChaosSite, snapshot: string): Promise<void> {
  await site.site.runAgent(["check", snapshot, "--read-data", "100%"]);
  await site.gateway("prune");
  await site.gateway("gc");
  expect(last(await site.gateway("scrub"))).toMatchObject({ problems: 0 });
  expect(last(await site.gateway("check"))).toMatchObject({ problems: 0 });
}

async function restores(site: ChaosSite, snapshot: string, round: number): Promise<void> {
  const { source } = site;
  const wanted = describeTree(source);
  const target = join(scratch, `restored ${round}`);
  await site.site.runAgent(["restore", `${snapshot}:${source}`, "--target", target]);
  expect(describeTree(target)).toEqual(wanted);
  rmSync(target, { recursive: true });
  expect(restoreBesides(await openBesides(site.site), snapshot, source)).toEqual(wanted);
  await site.replica("run");
  await site.replica("verify");
}
