// Backups in portions: limits at random places, edits and crashes in between, until the snapshot is complete.

import {
  appendFileSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { BackupOutcome, BackupRequest } from "../../../agent/backup/request.ts";
import { openSnapshot, type SnapshotBody, type SnapshotHeader } from "../../../vault/snapshot.ts";
import { type Random, randomFrom } from "../../fidelity/random.ts";
import { backupFixture, noise, type RunOptions } from "./backupFixture.ts";
import { MemoryGateway, testKeys } from "./memoryGateway.ts";
import { type Facts, folderFacts, inodesOf, snapshotFacts } from "./readBack.ts";

const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 2 ** 31));
const fx = backupFixture();

/** A clock ahead, so that no file is so young that it is read again in any case. */
const later: RunOptions = { aheadMs: 60_000 };

function portion(bytesMax: number, changes: Partial<BackupRequest> = {}): Promise<BackupOutcome> {
  return fx.run({ limits: { bytesMax, timeMs: undefined }, ...changes }, later);
}

/** The newest snapshot, opened. */
function newest(): { readonly header: SnapshotHeader; readonly body: SnapshotBody } {
  const object = fx.gateway.snapshots.get(fx.gateway.head ?? "");
  if (object === undefined) throw new Error("no snapshot");
  return openSnapshot(testKeys, object);
}

/** Portions until one is complete; `between` is called after each that is not. Each has more than the one before it. */
async function cycle(
  run: () => Promise<BackupOutcome>,
  between: () => void | Promise<void> = () => undefined,
): Promise<BackupOutcome[]> {
  const outcomes: BackupOutcome[] = [];
  for (;;) {
    const outcome = await run();
    outcomes.push(outcome);
    const { header, body } = newest();
    expect(header.flags.incomplete).toBe(outcome.stopped !== undefined);
    expect(body.portion).toBe(outcome.stopped === undefined ? undefined : outcome.portion);
    if (outcome.stopped === undefined) return outcomes;
    expect(outcome.portion).toBe(outcomes.length);
    expect(outcome.counts.filesRead).toBeGreaterThan(0);
    if (outcomes.length > 1000) throw new Error("portions without end");
    await between();
  }
}

function isPart(part: Facts, whole: Facts): void {
  for (const [path, fact] of part) expect(whole.get(path), path).toBe(fact);
}

/** Small files in nested folders, two large ones, links, empty files and folders: about 8 MB. */
function mixedTree(random: Random): void {
  fx.smallTree(100);
  for (let index = 0; index < 40; index++) {
    const folder = join(fx.source, `d${index % 7}`, `deep${index % 3}`, "deeper");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `g${index}`), noise(random.below(90_000), index + 7000));
  }
  writeFileSync(join(fx.source, "d3", "large"), noise(3_000_000, 5));
  writeFileSync(join(fx.source, "d5", "larger"), noise(2_500_000, 6));
  mkdirSync(join(fx.source, "d6", "empty folder"));
  for (const name of ["d0", "d2", "d4"]) {
    writeFileSync(join(fx.source, name, "nothing"), "");
    symlinkSync("../d1/f1", join(fx.source, name, "link"));
  }
  linkSync(join(fx.source, "d0", "f7"), join(fx.source, "d6", "another f7"));
  linkSync(join(fx.source, "d1", "deep1", "deeper", "g1"), join(fx.source, "z"));
}

function sum(outcomes: readonly BackupOutcome[], of: (outcome: BackupOutcome) => number): number {
  return outcomes.reduce((total, outcome) => total + of(outcome), 0);
}

describe("portions", () => {
  test(`random limits: every file is read once and sent once, and the end is the folder (seed ${seed})`, async () => {
    const random = randomFrom(seed);
    mixedTree(random);
    const facts = folderFacts(fx.source);
    const alone = await fx.run({}, { ...later, gateway: new MemoryGateway() });
    rmSync(fx.cachePath);
    let before: Facts = new Map();
    const outcomes = await cycle(
      () => portion(1 + random.below(2_500_000)),
      () => {
        const now = snapshotFacts(fx.gateway, fx.source);
        isPart(now, facts);
        isPart(before, now);
        before = now;
        // Nothing of it is needed: the gateway has all of it.
        if (random.below(3) === 0) rmSync(fx.cachePath, { force: true });
      },
    );
    expect(outcomes.length).toBeGreaterThan(3);
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(facts);
    expect(sum(outcomes, ({ counts }) => counts.filesRead)).toBe(alone.counts.filesRead);
    expect(sum(outcomes, ({ counts }) => counts.bytesRead)).toBe(alone.counts.bytesRead);
    expect(sum(outcomes, ({ sentBytes }) => sentBytes)).toBeLessThanOrEqual(alone.sentBytes * 1.02);
    expect(fx.gateway.sentTwice).toBe(0);
    const { path, name } = { path: join(fx.source, "d0", "f7"), name: join(fx.source, "d6", "another f7") };
    const inodes = inodesOf(fx.gateway, fx.source);
    expect(inodes.get(name)).toBe(inodes.get(path));
    expect((await fx.run({}, later)).counts.filesRead).toBe(0);
    expect(fx.warnings).toEqual([]);
  });

  test("a limit below every file's size ends, also with files that change all the time in front", async () => {
    fx.smallTree(6);
    writeFileSync(join(fx.source, "large"), noise(3_000_000, 5));
    const busy = join(fx.source, "a log that grows");
    writeFileSync(busy, noise(70_000, 4));
    const outcomes = await cycle(
      () => portion(1),
      () => appendFileSync(busy, "more\n"),
    );
    expect(outcomes.length).toBeLessThanOrEqual(8);
    expect(outcomes.length).toBeGreaterThan(5);
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
  });

  test("stops before what does not fit, and begins the next portion with it", async () => {
    for (const [name, size] of [
      ["a", 400_000],
      ["b", 300_000],
      ["c", 500_000],
      ["d", 10],
    ] as const)
      writeFileSync(join(fx.source, name), noise(size, size));
    const names = (): string[] =>
      [...snapshotFacts(fx.gateway, fx.source).keys()].map((path) => path.slice(fx.source.length + 1));
    const first = await portion(800_000);
    expect(names()).toEqual(["a", "b"]);
    expect(first.stopped).toEqual({ limit: "size", path: Buffer.from(join(fx.source, "c")) });
    const second = await portion(500_000);
    expect(names()).toEqual(["a", "b", "c"]);
    expect(second.stopped?.path.toString()).toBe(join(fx.source, "d"));
    const third = await portion(500_000);
    expect(third).toMatchObject({ stopped: undefined, portion: 3, counts: { filesRead: 1, bytesRead: 10 } });
    expect(await portion(500_000)).toMatchObject({ portion: 1, counts: { filesRead: 0 } });
  });

  test("a time that is over at once still stores something each time", async () => {
    fx.smallTree(8);
    writeFileSync(join(fx.source, "large"), noise(300_000, 5));
    const outcomes = await cycle(() => fx.run({ limits: { bytesMax: undefined, timeMs: 1e-6 } }, later));
    expect(outcomes.length).toBeGreaterThan(1);
    expect(outcomes[0]?.stopped?.limit).toBe("time");
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
    expect(fx.gateway.sentTwice).toBe(0);
  });

  test(`edits between portions: no snapshot shows what was not there (seed ${seed})`, async () => {
    const random = randomFrom(seed + 1);
    mixedTree(random);
    let edits = 12;
    await cycle(
      () => portion(600_000 + random.below(1_500_000)),
      () => {
        isPart(snapshotFacts(fx.gateway, fx.source), folderFacts(fx.source));
        for (let i = 0; i < 4 && edits > 0; i++, edits--) edit(random);
      },
    );
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
    expect(fx.gateway.sentTwice).toBe(0);
  });

  test("after a complete snapshot: what changed beyond the limit is left out, the rest stays", async () => {
    mixedTree(randomFrom(4));
    await fx.run({}, later);
    const changed = [
      join(fx.source, "d1", "f1"),
      join(fx.source, "d5", "larger"),
      join(fx.source, "d6", "f6"),
    ];
    for (const path of changed) appendFileSync(path, "more");
    writeFileSync(join(fx.source, "d6", "new"), "new");
    const first = await portion(2_502_000);
    expect(first.counts.filesRead).toBe(2);
    expect(first.stopped?.path.toString()).toBe(changed[2] as string);
    const facts = folderFacts(fx.source);
    facts.delete(changed[2] as string);
    facts.delete(join(fx.source, "d6", "new"));
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(facts);
    expect(await portion(2_502_000)).toMatchObject({
      stopped: undefined,
      portion: 2,
      counts: { filesRead: 2 },
    });
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
  });

  test("a run without limits ends a series", async () => {
    mixedTree(randomFrom(5));
    await portion(1_000_000);
    const whole = await fx.run({}, later);
    expect(whole).toMatchObject({ stopped: undefined, portion: 2 });
    expect(whole.counts.bytesRead).toBeGreaterThan(1_000_000);
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
  });

  test("names of one file on both sides of a limit stay together, and it is read once", async () => {
    for (const name of ["a", "m", "z"]) mkdirSync(join(fx.source, name));
    for (const [kind, size] of [
      ["small", 5000],
      ["large", 900_000],
    ] as const) {
      const first = join(fx.source, "a", kind);
      writeFileSync(first, noise(size, size));
      linkSync(first, join(fx.source, "m", kind));
      linkSync(first, join(fx.source, "z", kind));
    }
    writeFileSync(join(fx.source, "b"), noise(2_000_000, 3));
    writeFileSync(join(fx.source, "n"), noise(2_000_000, 4));
    const outcomes = await cycle(() => portion(1_000_000));
    expect(outcomes.map(({ counts }) => counts.filesRead)).toEqual([2, 1, 1]);
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
    const inodes = inodesOf(fx.gateway, fx.source);
    for (const kind of ["small", "large"]) {
      const ids = ["a", "m", "z"].map((name) => inodes.get(join(fx.source, name, kind)));
      expect(new Set(ids).size).toBe(1);
    }
  });

  test("runs that are stopped in a portion lose nothing that the one before has", async () => {
    mixedTree(randomFrom(6));
    let stops = 0;
    const outcomes = await cycle(async () => {
      const abort = new AbortController();
      let requests = 0;
      fx.gateway.beforeRecords = () => {
        if (++requests === 2 && stops < 2) abort.abort();
      };
      const limits = { bytesMax: 1_500_000, timeMs: undefined };
      try {
        return await fx.run({ limits }, { ...later, signal: abort.signal });
      } catch (error) {
        expect(error).toMatchObject({ code: "cancelled" });
        stops += 1;
        return portion(1_500_000);
      }
    });
    expect(stops).toBe(2);
    expect(outcomes.length).toBeGreaterThan(3);
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
    expect(fx.gateway.sentTwice).toBe(0);
  });
});

/** Changes, adds, renames or removes a file. */
function edit(random: Random): void {
  const place = (): string => join(fx.source, `d${random.below(7)}`, `f${random.below(100)}`);
  const at = place();
  const kind = random.below(4);
  if (kind === 0) writeFileSync(at, random.bytes(random.below(400_000)));
  else if (kind === 1) appendFileSync(at, random.bytes(random.below(5000)));
  else if (kind === 2) rmSync(at, { force: true });
  else if (statSync(at, { throwIfNoEntry: false }) !== undefined) renameSync(at, place());
}
