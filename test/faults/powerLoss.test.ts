// Loss of power at random moments. The gateway's disk logs every write and flush; afterwards the disk is rebuilt as it may have
// stood at a chosen flush, with a random part of what was written after it, and the gateway is started on it. What agents were told
// is safe by then must be there. HOLDFAST_REPLAYS sets how many (3), HOLDFAST_SEED repeats a run.

import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { type Random, randomFrom } from "../fidelity/random.ts";
import { type AckLine, idsOf, readAcks, snapshotsOf } from "./ackLog.ts";
import { createLoggedDisk } from "./loopDisk.ts";
import { cutPowerAt, moments, powerTools, type RecordedDisk } from "./powerCut.ts";
import { Site } from "./program.ts";
import { openBesides, restoreBesides } from "./reference.ts";
import { canRun } from "./requirements.ts";
import { changeSource, describeTree } from "./sourceTree.ts";
import { tearDownAll } from "./tearDown.ts";
import { flushedEntries, flushPositions, readWriteLog } from "./writeLog.ts";

const replays = Number(process.env.HOLDFAST_REPLAYS ?? 3);
const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);
const disks = { diskMiB: 256, journal: "journal" } as const;

const scratch = mkdtempSync(join(tmpdir(), "holdfast-power-"));
afterAll(() => {
  tearDownAll();
  rmSync(scratch, { recursive: true, force: true });
});

/** `created`: when the site was complete. */
type Recorded = RecordedDisk & {
  readonly site: Site;
  readonly acks: readonly AckLine[];
  /** The source as it was at each committed snapshot. */
  readonly trees: ReadonlyMap<string, Map<string, string>>;
  readonly source: string;
  /** State of the enrolled agent before its first backup. */
  readonly freshState: string;
};

/** A gateway on a logged disk, started again with `preload` where that names anything, and how agents are run beside it. */
async function recordedSite(name: string, preload: string[]) {
  const folder = join(scratch, name);
  const disk = await createLoggedDisk(folder, disks.diskMiB);
  const site = await Site.create(join(folder, "site"), { data: join(disk.folder, "data") });
  if (preload.length > 0) {
    await site.stop();
    await site.start({ preload });
  }
  const created = flushedEntries(disk.log);
  const [freshState, source, acksPath] = [
    join(folder, "fresh"),
    join(folder, "source"),
    join(folder, "acks"),
  ];
  cpSync(site.state, freshState, { recursive: true });
  mkdirSync(source);
  const environment = { HOLDFAST_TEST_ACKS: acksPath, HOLDFAST_TEST_WRITE_LOG: disk.log };
  const recording = { preload: ["recordAcks.ts"], environment };
  return { disk, site, created, freshState, source, acksPath, recording };
}

/** Backs up several times to a gateway on a logged disk, the last time cut short. */
async function record(name: string, rounds: number, random: Random, preload: string[]): Promise<Recorded> {
  const { disk, site, created, freshState, source, acksPath, recording } = await recordedSite(name, preload);
  const trees = new Map<string, Map<string, string>>();
  for (let round = 0; round < rounds; round++) {
    changeSource(source, random, round);
    const { snapshot } = await site.backup([source], recording);
    trees.set(snapshot, describeTree(source));
  }
  changeSource(source, random, rounds);
  const last = site.agent(["backup", source], recording);
  const before = readAcks(acksPath).length;
  while (last.running && readAcks(acksPath).length < before + 3) await sleep(2);
  await last.end("SIGKILL");
  await site.gateway.end("SIGKILL");
  disk.unmount();
  const acks = readAcks(acksPath);
  return { site, log: readWriteLog(disk.log), ...disks, acks, created, trees, source, freshState };
}

/**
 * The gateway is killed between writing records and syncing them, and started again on the same disk. What it then says is
 * there counts as told, although no agent was ever sent a status for it.
 */
async function recordUnsynced(name: string, random: Random, preload: string[]): Promise<Recorded> {
  const made = await recordedSite(name, ["dieBeforeSync.ts"]);
  const { disk, site, created, freshState, source, acksPath, recording } = made;
  changeSource(source, random, 0);
  const backup = site.agent(["backup", source], recording);
  await site.gateway.ended;
  await backup.end("SIGKILL");
  await site.start({ preload });
  const sent = idsOf(readAcks(acksPath), "sent");
  const absent = new Set(await site.absent(sent));
  const ids = [...sent].filter((id) => !absent.has(id));
  const flushed = flushedEntries(disk.log);
  await site.gateway.end("SIGKILL");
  disk.unmount();
  const acks: AckLine[] = [{ event: "stored", ids, flushed }];
  const log = readWriteLog(disk.log);
  return { site, log, ...disks, acks, created, trees: new Map(), source, freshState };
}

/** Flushes to cut the power at. */
function momentsOf(recorded: Recorded, random: Random): Generator<number, never> {
  const told = recorded.acks.flatMap((line) => (line.event === "sent" ? [] : [line.flushed]));
  return moments(recorded, told, random);
}

type Verdict = { readonly lost: string[]; readonly site: Site; readonly end: () => Promise<void> };

/** Cuts the power at a flush, starts the gateway on what is left, and tells what of the acknowledged is not there. */
async function cutPower(recorded: Recorded, flush: number, name: string, random: Random): Promise<Verdict> {
  const folder = join(scratch, name);
  const disk = cutPowerAt(recorded, flush, folder, random);
  const state = join(folder, "state");
  cpSync(recorded.freshState, state, { recursive: true });
  const site = recorded.site.with({ data: join(disk.folder, "data"), state });
  const end = async (): Promise<void> => {
    if (site.gateway.running) await site.gateway.end("SIGKILL");
    disk.unmount();
  };
  const told = recorded.acks.filter((line) => line.event === "sent" || line.flushed <= flush + 1);
  try {
    await site.start();
    const absent = await site.absent(idsOf(told, "stored"));
    const known = new Set(await site.snapshots());
    const gone = snapshotsOf(told).filter((id) => !known.has(id));
    return { lost: [...absent, ...gone], site, end };
  } catch (error) {
    return { lost: [(error as Error).message], site, end };
  }
}

describe.skipIf(!canRun("loss of power", ...powerTools))("loss of power", () => {
  it("is survived by everything that was acknowledged", { timeout: 120_000 + replays * 60_000 }, async () => {
    console.log(`HOLDFAST_SEED=${seed} HOLDFAST_REPLAYS=${replays}`);
    const random = randomFrom(seed);
    const recorded = await record("record", 4, random, []);
    const flushes = flushPositions(recorded.log).length;
    console.log(
      `${recorded.log.entries.length} writes and flushes, ${flushes} flushes, ${recorded.acks.length} lines`,
    );
    const chosen = momentsOf(recorded, random);
    for (let i = 0; i < replays; i++) {
      const flush = chosen.next().value;
      const { lost, site, end } = await cutPower(recorded, flush, `replay ${i}`, random);
      expect(lost, `lost at flush ${flush}`).toEqual([]);
      const vault = await openBesides(site);
      for (const id of await site.snapshots()) {
        // The run that was cut short may have committed before it could say so; the source is still as it saw it.
        const wanted = recorded.trees.get(id) ?? describeTree(recorded.source);
        expect(restoreBesides(vault, id, recorded.source)).toEqual(wanted);
      }
      const next = await site.backup([recorded.source]);
      await site.runAgent(["check", next.snapshot, "--read-data", "100%"]);
      const restored = restoreBesides(await openBesides(site), next.snapshot, recorded.source);
      expect(restored).toEqual(describeTree(recorded.source));
      await end();
    }
  });

  it("is found out when the gateway does not wait for its disk", async () => {
    const random = randomFrom(seed + 1);
    const recorded = await record("lying", 2, random, ["lieAboutSync.ts"]);
    const chosen = momentsOf(recorded, random);
    let found = 0;
    for (let i = 0; i < 8 && found === 0; i++) {
      const { lost, end } = await cutPower(recorded, chosen.next().value, `lie ${i}`, random);
      if (lost.length > 0) found += 1;
      await end();
    }
    expect(found, "replays that found something lost").toBeGreaterThan(0);
  });

  it("right after a restart is survived by what the gateway says is there", {
    timeout: 180_000,
  }, async () => {
    const random = randomFrom(seed + 2);
    for (const [name, preload, lossless] of [
      ["unsynced", [], true],
      ["unsynced and lying", ["lieAboutSync.ts"], false],
    ] as const) {
      const recorded = await recordUnsynced(name, random, [...preload]);
      const told = recorded.acks[0] as AckLine & { event: "stored" };
      expect(told.ids.length, "records that were written and not synced").toBeGreaterThan(0);
      const { lost, end } = await cutPower(recorded, told.flushed - 1, `${name} replay`, random);
      expect(lost.length === 0, `${name}: lost ${lost.length}`).toBe(lossless);
      await end();
    }
  });
});
