// Packs that were damaged behind the gateway's back: just what stood in them is lost, it is named, and a backup mends it.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { randomFrom } from "../fidelity/random.ts";
import { type Place, scanPack } from "../reference/pack.ts";
import { restore } from "../reference/restore.ts";
import { eventsOf, Site } from "./program.ts";
import { openBesides } from "./reference.ts";
import { describeTree } from "./sourceTree.ts";
import { runTool, tearDownAll } from "./tearDown.ts";

const MiB = 2 ** 20;
const scratch = mkdtempSync(join(tmpdir(), "holdfast-damage-"));
const source = join(scratch, "source");
let site: Site;
let snapshot: string;
let wanted: Map<string, string>;
/** The closed pack of data. */
let pack: string;
let places: readonly Place[];

beforeAll(async () => {
  site = await Site.create(join(scratch, "site"));
  mkdirSync(source);
  const random = randomFrom(13);
  for (let i = 0; i < 40; i++) writeFileSync(join(source, `small${i}`), random.bytes(1000 + i));
  // First alone: so their bundle comes early into the pack that will be closed.
  await site.backup([source]);
  for (let i = 0; i < 16; i++) writeFileSync(join(source, `large${i}`), random.bytes(3 * MiB + i));
  ({ snapshot } = await site.backup([source]));
  wanted = describeTree(source);
  await site.stop();
  const found = runTool("find", join(site.vaultFolder, "packs"), "-type", "f", "-size", "+20M").split("\n");
  expect(found).toHaveLength(1);
  pack = found[0]!;
  ({ places } = scanPack(readFileSync(pack)));
  for (const folder of [site.data, site.state]) runTool("cp", "-a", folder, `${folder}-whole`);
});

beforeEach(() => {
  for (const folder of [site.data, site.state]) {
    rmSync(folder, { recursive: true });
    runTool("cp", "-a", `${folder}-whole`, folder);
  }
});

afterEach(async () => {
  if (site.gateway.running) await site.gateway.end("SIGKILL");
});

afterAll(() => {
  tearDownAll();
  rmSync(scratch, { recursive: true, force: true });
});

/** Restores by agent and by reference reader; gives the files that are not there as they should be, which must be named. */
async function restoreBoth(): Promise<string[]> {
  const target = mkdtempSync(join(scratch, "restored-"));
  const ran = await site.runAgent(["restore", `${snapshot}:${source}`, "--target", target, "--json"], {
    statuses: [0, 3],
  });
  const found = describeTree(target);
  const lost = [...wanted.keys()].filter((path) => found.get(path) !== wanted.get(path)).sort();
  const named = eventsOf(ran).filter(({ event }) => event === "warning");
  expect(ran.status).toBe(lost.length > 0 ? 3 : 0);
  expect(named.map(({ path }) => String(path).split("/").at(-1)).sort()).toEqual(lost);
  expect(
    [...found.keys()].filter((path) => !wanted.has(path)),
    "left over",
  ).toEqual([]);

  const besides = mkdtempSync(join(scratch, "besides-"));
  const vault = await openBesides(site);
  const report = restore(
    vault,
    vault.snapshots().snapshots.find(({ id }) => id === snapshot)!,
    join(besides, "tree"),
  );
  expect(report.failed.map(({ path }) => path.split("/").at(-1)).sort()).toEqual(lost);
  for (const folder of [target, besides]) rmSync(folder, { recursive: true });
  return lost;
}

/** Chunks that a check finds missing or damaged. */
async function damagedChunks(): Promise<string[]> {
  const ran = await site.runAgent(["check", snapshot, "--read-data", "100%", "--json"], { statuses: [0, 1] });
  return eventsOf(ran).flatMap(({ event, chunk }) => (event === "problem" ? [String(chunk)] : []));
}

/** A backup that reads everything mends what is lost, as long as the source has it. */
async function mends(): Promise<void> {
  await site.backup([source, "--rescan"]);
  expect(await damagedChunks()).toEqual([]);
  expect(await restoreBoth()).toEqual([]);
  await site.stop();
}

describe("a closed pack", () => {
  it("with one flipped byte loses one chunk", async () => {
    const victim = places[Math.floor(places.length / 2)]!;
    const bytes = readFileSync(pack);
    bytes[victim.offset + Math.floor(victim.length / 2)]! ^= 0x10;
    writeFileSync(pack, bytes);
    await site.start();
    const lost = await restoreBoth();
    expect(lost).toHaveLength(1);
    expect(await damagedChunks()).toEqual([victim.id]);
    await mends();
  });

  it("without its trailer loses nothing", async () => {
    const last = places.at(-1)!;
    truncateSync(pack, last.offset + last.length);
    await site.start();
    expect(await restoreBoth()).toEqual([]);
    expect(await damagedChunks()).toEqual([]);
    await mends();
  });

  it("of no length loses what stood in it, and nothing else", async () => {
    truncateSync(pack, 0);
    await site.start();
    const lost = await restoreBoth();
    expect(lost).toEqual(expect.arrayContaining(Array.from({ length: 40 }, (_, i) => `small${i}`)));
    expect(lost.length).toBeLessThan(wanted.size);
    expect((await damagedChunks()).sort()).toEqual(places.map(({ id }) => id).sort());
    await mends();
  });
});
