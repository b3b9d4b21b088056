// Loss of power while a box is sealed, and while its datacentre takes its manifest in and imports it. The disk of the one, or of the other,
// logs every write and flush of the real commands; afterwards it is rebuilt as it may have stood at a chosen flush, with a random part of
// what was written after it. What was told by then holds, the same commands go on, and everything is there. HOLDFAST_REPLAYS sets how often
// each is cut (2), HOLDFAST_SEED repeats a run.

import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Random, randomFrom } from "../fidelity/random.ts";
import type { Journal } from "./loopDisk.ts";
import { cutPowerAt, moments, powerTools } from "./powerCut.ts";
import { eventsOf, holdfast, Program, type RunOptions, type Site } from "./program.ts";
import {
  type Done,
  type RecordedCommands,
  recordCommands,
  type Telling,
  type Told,
} from "./recordedCommands.ts";
import { openBesides, restoreBesides } from "./reference.ts";
import { canRun } from "./requirements.ts";
import { makeSealedBox, type SealedBox } from "./sealedBox.ts";
import { tearDownAll } from "./tearDown.ts";
import { flushPositions } from "./writeLog.ts";

const replays = Number(process.env.HOLDFAST_REPLAYS ?? 2);
const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);
/** Of a lying gateway. */
const liesMax = 6;
const lying: RunOptions = { preload: ["lieAboutSync.ts"] };
const taking = ["seed", "import"] as const;

const scratch = mkdtempSync(join(tmpdir(), "holdfast-power-seeding-"));
const random = randomFrom(seed);
let made: SealedBox;

afterAll(() => {
  tearDownAll();
  rmSync(scratch, { recursive: true, force: true });
});

/** Runs commands on a copy of a folder. */
function record(
  name: string,
  folder: string,
  work: (data: string, tell: Telling) => Promise<void>,
  journal: Journal = "journal",
): Promise<RecordedCommands> {
  return recordCommands(join(scratch, name), folder, work, journal);
}

/** Runs a command that is killed when a file got its name. */
async function dies(args: readonly string[], name: string): Promise<void> {
  const environment = { HOLDFAST_TEST_DIE_AFTER: name };
  const { status, stderr } = await new Program(args, { preload: ["dieAfterRename.ts"], environment }).ended;
  expect({ status, stderr }).toEqual({ status: null, stderr: "" });
}

function sealing(directory: string): string[] {
  return ["seed", "seal", ...made.box.with(directory).options, "--offline"];
}

function promising(data: string): string[] {
  return ["seed", "promise", made.manifestFile, "--data", data];
}

/** Promises the box and imports it, first without one of its packs. `options`: of the imports. */
function recordImport(name: string, options: RunOptions): Promise<RecordedCommands> {
  return record(name, made.site.data, async (data, tell) => {
    await tell(promising(data));
    const packs = join(
      made.sealed.directory,
      "vaults",
      readdirSync(join(made.sealed.directory, "vaults"))[0]!,
      "packs",
    );
    const all = readdirSync(packs, { recursive: true, encoding: "utf8" }).filter((path) =>
      path.includes("/"),
    );
    const away = join(packs, all.sort()[random.below(all.length)]!);
    renameSync(away, join(scratch, "away"));
    const importing = [...taking, made.sealed.directory, "--data", data];
    await tell(importing, options, 3);
    renameSync(join(scratch, "away"), away);
    await tell(importing, options);
  });
}

/** What is not as it should be, as "member: value". */
function wrongIn(done: Done, wanted: Done): string[] {
  return Object.entries(wanted).flatMap(([name, value]) =>
    JSON.stringify(done[name]) === JSON.stringify(value) ? [] : [`${name}: ${JSON.stringify(done[name])}`],
  );
}

/** The last words of a command that must work. */
async function doneBy(args: readonly string[]): Promise<Done> {
  return eventsOf(await holdfast([...args, "--json"])).at(-1)!;
}

/** Imports all that is left, and reads each snapshot besides; what came of it, and what is wrong in that. */
async function importAll(at: Site, from: string): Promise<{ done: Done; wrong: string[] }> {
  const done = await doneBy([...taking, from, "--data", at.data]);
  const whole = {
    state: "imported",
    left: 0,
    refused: 0,
    snapshots: made.trees.size,
    whole: made.trees.size,
    needs: 0,
  };
  const custody = readFileSync(join(at.data, "seed", String(made.box.number), "custody"), "utf8");
  const wrong = wrongIn(done, whole);
  if (!/"sealed"[\s\S]*"importing"[\s\S]*"imported"/.test(custody)) wrong.push(`custody: ${custody}`);
  if (!existsSync(String(done.receipt))) wrong.push("there is no receipt");
  return { done, wrong: [...wrong, ...(await notRight(at, made.trees.keys()))] };
}

/** Which of these snapshots the reference reader does not restore as they were. */
async function notRight(at: Site, snapshots: Iterable<string>): Promise<string[]> {
  const vault = await openBesides(at);
  return [...snapshots].flatMap((id) => {
    try {
      expect(restoreBesides(vault, id, made.source)).toEqual(made.trees.get(id));
      return [];
    } catch (error) {
      return [`snapshot ${id}: ${(error as Error).message}`];
    }
  });
}

type Cut = {
  readonly recorded: RecordedCommands;
  readonly flush: number;
  readonly name: string;
  /** Of what was written behind the flush; a random part unless given. */
  readonly left?: Random | "none";
};

/** What `work` finds wrong on the disk that is left; that it fails is wrong too. */
async function withPowerCut(
  { recorded, flush, name, left = random }: Cut,
  work: (data: string, told: readonly Told[]) => Promise<string[]>,
): Promise<string[]> {
  const disk = cutPowerAt(recorded, flush, join(scratch, name), left);
  const told = recorded.told.filter(({ flushed }) => flushed <= flush + 1);
  try {
    return await work(join(disk.folder, "data"), told);
  } catch (error) {
    return [(error as Error).message];
  } finally {
    disk.unmount();
  }
}

/** Cuts the power of a box: its seal goes on, or is the one that was told, and a datacentre takes it. */
function cutSeal(cut: Cut): Promise<string[]> {
  return withPowerCut(cut, async (directory, told) => {
    const done = await doneBy(sealing(directory));
    const wrong = wrongIn(done, { damaged: [], hurt: [], snapshots: made.trees.size, warnings: 0 });
    for (const { done: before } of told) {
      const { box: number, seal, manifest, code, packs } = before;
      wrong.push(...wrongIn(done, { box: number, seal, manifest, code, packs, already: true }));
    }
    const data = join(scratch, `${cut.name} datacentre`);
    cpSync(made.site.data, data, { recursive: true });
    try {
      wrong.push(...(await importAll(made.site.with({ data, state: made.site.state }), directory)).wrong);
    } finally {
      rmSync(data, { recursive: true });
    }
    return wrong;
  });
}

/** Cuts the power of a datacentre: it has what it told, calls nothing whole that is not, and takes what is left. */
function cutImport(cut: Cut): Promise<string[]> {
  return withPowerCut(cut, async (data, told) => {
    const state = join(scratch, `${cut.name} state`);
    cpSync(made.freshState, state, { recursive: true });
    const at = made.site.with({ data, state });
    try {
      await at.start();
      const [promised, partly, imported] = told;
      const [, , last] = cut.recorded.told;
      const whole = await at.questions.wholeSnapshots();
      const known = await at.snapshots();
      const wrong = await notRight(at, whole);
      const missing = [...made.trees.keys()].filter((id) => !known.includes(id));
      if (promised !== undefined) wrong.push(...missing.map((id) => `promised, and not listed: ${id}`));
      if (imported !== undefined && whole.length < made.trees.size) wrong.push(`whole: ${whole}`);
      const rest = await importAll(at, made.sealed.directory);
      wrong.push(...rest.wrong);
      // What was told to be taken is not read again.
      const leftBytes = imported === undefined ? Number(last?.done.read_bytes) : 0;
      if (partly !== undefined && Number(rest.done.read_bytes) > leftBytes)
        wrong.push(`read: ${rest.done.read_bytes} bytes, and not ${leftBytes}`);
      await at.runAgent(["check", made.newest, "--read-data", "100%"]);
      return wrong;
    } finally {
      if (at.gateway.running) await at.gateway.end("SIGKILL");
      rmSync(state, { recursive: true });
    }
  });
}

function momentsOf(recorded: RecordedCommands): Generator<number, never> {
  const told = recorded.told.map(({ flushed }) => flushed);
  return moments(recorded, told, random);
}

async function expectSurvived(recorded: RecordedCommands, cut: typeof cutSeal, name: string): Promise<void> {
  const chosen = momentsOf(recorded);
  const flushes = flushPositions(recorded.log).filter((index) => index >= recorded.created);
  console.log(
    `${name}: ${flushes.length} flushes, told behind ${recorded.told.map(({ flushed }) => flushed)}`,
  );
  for (let i = 0; i < replays; i++) {
    const flush = chosen.next().value;
    const wrong = await cut({ recorded, flush, name: `${name} ${i}` });
    expect(wrong, `${name}, wrong at flush ${flush}`).toEqual([]);
  }
}

async function expectFound(recorded: RecordedCommands, cut: typeof cutSeal, name: string): Promise<void> {
  const chosen = momentsOf(recorded);
  let found: string[] = [];
  for (let i = 0; i < liesMax && found.length === 0; i++) {
    found = await cut({ recorded, flush: chosen.next().value, name: `${name} ${i}` });
    console.log(`${name}: ${found.join("; ").slice(0, 500)}`);
  }
  expect(found.length, `${name}: what was found wrong`).toBeGreaterThan(0);
}

describe.skipIf(!canRun("loss of power in seeding", ...powerTools))("loss of power in seeding", () => {
  beforeAll(async () => {
    console.log(`HOLDFAST_SEED=${seed} HOLDFAST_REPLAYS=${replays}`);
    made = await makeSealedBox(scratch, random);
  });

  it("is survived by a box that is sealed", { timeout: 60_000 + replays * 60_000 }, async () => {
    const recorded = await record("seal", made.box.directory, (copy, tell) => tell(sealing(copy)));
    await expectSurvived(recorded, cutSeal, "sealing");
  });

  it("is survived by what a box promised and brought", { timeout: 60_000 + replays * 60_000 }, async () => {
    await expectSurvived(await recordImport("carried", {}), cutImport, "importing");
  });

  it("is found out when they do not wait for their disk", async () => {
    const seal = await record("lying seal", made.box.directory, (copy, tell) => tell(sealing(copy), lying));
    await expectFound(seal, cutSeal, "lying box");
    await expectFound(await recordImport("lying carried", lying), cutImport, "lying datacentre");
  });

  it("right after a restart is survived by what was told then", async () => {
    const killing = (name: string, folder: string, words: (data: string) => string[], at: string) =>
      record(
        name,
        folder,
        async (data, tell) => {
          await dies(words(data), at);
          await tell(words(data));
        },
        "no journal",
      );
    const seal = await killing("killed seal", made.box.directory, sealing, "/seed/manifest$");
    const sealedTold = seal.told[0]!;
    expect(sealedTold.done).toMatchObject({ already: true });
    const sealCut = { recorded: seal, flush: sealedTold.flushed - 1, name: "killed seal, cut" };
    expect(await cutSeal({ ...sealCut, left: "none" })).toEqual([]);

    // The last of its folder: the next one would have synced it.
    const at = `/snapshots/${made.newest}$`;
    const promise = await killing("killed promise", made.site.data, promising, at);
    const promisedTold = promise.told[0]!;
    expect(promisedTold.done).toMatchObject({ accepted: true });
    const promiseCut = { recorded: promise, flush: promisedTold.flushed - 1, name: "killed promise, cut" };
    expect(await cutImport({ ...promiseCut, left: "none" })).toEqual([]);
  });
});
