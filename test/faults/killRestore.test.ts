// kill -9 of the agent in the middle of a restore: the next run completes, and fetches only what is not right already.
// HOLDFAST_SEED repeats a run.

import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomFrom } from "../fidelity/random.ts";
import { eventsOf, Site } from "./program.ts";
import { changeSource, describeTree } from "./sourceTree.ts";
import { tearDownAll } from "./tearDown.ts";

const MiB = 1024 * 1024;
const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);
/** Far more than a test waits for before it kills: a machine that stalls for a moment must not find the restore over. */
const largeBytes = 192 * MiB;

const scratch = mkdtempSync(join(tmpdir(), "holdfast-kill-restore-"));
const source = join(scratch, "source");
const small = join(source, "1 small");
const random = randomFrom(seed);
let site: Site;
let snapshot: string;
let wanted: Map<string, string>;

beforeAll(async () => {
  console.log(`HOLDFAST_SEED=${seed}`);
  mkdirSync(small, { recursive: true });
  for (let round = 0; round < 4; round++) changeSource(small, random, round);
  // Names decide the order of a restore: the small ones first.
  const large = join(source, "2 large");
  writeFileSync(large, "");
  for (let at = 0; at < largeBytes; at += MiB) writeFileSync(large, random.bytes(MiB), { flag: "a" });
  wanted = describeTree(source);
  site = await Site.create(join(scratch, "site"));
  snapshot = (await site.backup([source])).snapshot;
});

afterAll(() => {
  tearDownAll();
  rmSync(scratch, { recursive: true, force: true });
});

type Restored = { readonly reused: number; readonly fetched_bytes: number };

function restoreArguments(target: string): string[] {
  return ["restore", `${snapshot}:${source}`, "--target", target, "--json"];
}

/** Starts a restore and kills it as soon as `reached`; fails when it was over before. */
async function killedAt(target: string, reached: () => boolean): Promise<void> {
  const agent = site.agent(restoreArguments(target));
  while (agent.running && !reached()) await sleep(1);
  const ran = await agent.end("SIGKILL");
  expect(ran.status, `it ended before it was killed:\n${ran.stderr}\n${ran.stdout}`).toBeNull();
}

async function restored(target: string): Promise<Restored> {
  return eventsOf(await site.runAgent(restoreArguments(target))).at(-1) as Restored;
}

/** Files that are there under a folder, at any depth. */
function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** Bytes on disk of what the restore writes beside the large file's place. */
function bytesBeside(target: string): number {
  if (!existsSync(target)) return 0;
  const name = readdirSync(target).find((each) => each.startsWith(".holdfast-"));
  return name === undefined ? 0 : statSync(join(target, name)).blocks * 512;
}

describe("kill -9 of a restore", () => {
  it("among small files: those that are right are kept, and the rest is made right", async () => {
    const target = join(scratch, "small");
    const files = 1 + random.below(150);
    await killedAt(target, () => filesBelow(target).length >= files);
    const there = [...describeTree(target)];
    expect(there).not.toEqual([...wanted]);
    const right = there.filter(([path, what]) => what.startsWith("file") && wanted.get(path) === what).length;
    const second = await restored(target);
    expect(second.reused).toBeGreaterThanOrEqual(right);
    expect(describeTree(target)).toEqual(wanted);
  });

  it("inside a large file: what was written of it is not fetched again, also after several kills", async () => {
    const target = join(scratch, "large");
    const whole = await restored(join(scratch, "whole"));
    expect(describeTree(join(scratch, "whole"))).toEqual(wanted);
    rmSync(join(scratch, "whole"), { recursive: true });
    let written = 0;
    for (const most of [24, 48]) {
      const bytes = written + (8 + random.below(most - 8)) * MiB;
      await killedAt(target, () => bytesBeside(target) >= bytes);
      written = bytesBeside(target);
      expect(existsSync(join(target, "2 large"))).toBe(false);
    }
    const second = await restored(target);
    // What is written of a chunk that was cut short is fetched once more.
    expect(second.fetched_bytes).toBeLessThan(whole.fetched_bytes - written + 16 * MiB);
    expect(describeTree(target)).toEqual(wanted);
    expect((await restored(target)).fetched_bytes).toBe(0);
  });

  it("over an older version: each file is the old or the new one, and the next run ends it", async () => {
    const target = join(scratch, "older");
    await restored(target);
    for (const path of filesBelow(target)) {
      if (path.includes("1 small")) writeFileSync(path, `old content of ${path}`);
    }
    const old = describeTree(target);
    const changed = [...old].filter(([path, what]) => wanted.get(path) !== what && what.startsWith("file"));
    const enough = 1 + random.below(100);
    expect(changed.length).toBeGreaterThan(150);
    const isNew = (path: string): boolean =>
      statSync(join(target, path)).size !== Number(old.get(path)?.split(" ")[3]);
    await killedAt(target, () => changed.filter(([path]) => isNew(path)).length >= enough);
    for (const [path, what] of describeTree(target)) {
      if (what.startsWith("file") && !path.includes(".holdfast-"))
        expect([hashOf(old.get(path)), hashOf(wanted.get(path))], path).toContain(hashOf(what));
    }
    await restored(target);
    expect(describeTree(target)).toEqual(wanted);
  });
});

/** Size and hash out of a line of describeTree. */
function hashOf(what: string | undefined): string {
  return `${what}`.split(" ").slice(3).join(" ");
}
