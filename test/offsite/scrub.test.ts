// Damage on the gateway's disk, by real processes: found and healed by `gateway scrub`, with and without a running gateway.

import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { eventsOf, holdfast, Site } from "../faults/program.ts";
import { describeTree } from "../faults/sourceTree.ts";
import { tearDownAll } from "../faults/tearDown.ts";
import { randomFrom } from "../fidelity/random.ts";

const scratch = mkdtempSync(join(tmpdir(), "holdfast-scrub-"));
const source = join(scratch, "source");
const replica = join(scratch, "replica");
let site: Site;

beforeAll(async () => {
  site = await Site.create(join(scratch, "site"));
  mkdirSync(source);
  const random = randomFrom(41);
  writeFileSync(join(source, "large"), random.bytes(3 * 2 ** 20));
  for (let i = 0; i < 20; i++) writeFileSync(join(source, `${i}`), random.bytes(20_000));
  await site.backup([source]);
  await holdfast(["replica", "add", "disk", pathToFileURL(replica).href, "--data", site.data]);
  await holdfast(["replica", "run", "disk", "--data", site.data]);
});
afterAll(() => {
  tearDownAll();
  rmSync(scratch, { recursive: true, force: true });
});

function packFiles(folder: string): string[] {
  const packs = join(folder, "packs");
  const names = readdirSync(packs, { recursive: true, encoding: "utf8" });
  return names.filter((name) => name.includes("/")).map((name) => join(packs, name));
}

function damage(path: string): void {
  const bytes = readFileSync(path);
  const middle = bytes.length >> 1;
  bytes[middle] = (bytes[middle] as number) ^ 1;
  writeFileSync(path, bytes);
}

async function scrub(status: number, ...args: string[]): Promise<Record<string, unknown>[]> {
  const ran = await holdfast(["gateway", "scrub", "--data", site.data, "--json", ...args], {
    statuses: [status],
  });
  return eventsOf(ran) as Record<string, unknown>[];
}

it("a sound gateway ends with 0, running or not", async () => {
  const packs = packFiles(site.vaultFolder).length;
  const done = { event: "done", packs, snapshots: 1, problems: 0, healed: 0 };
  expect((await scrub(0)).at(-1)).toMatchObject(done);
  await site.stop();
  expect((await scrub(0)).at(-1)).toMatchObject(done);
  await site.start();
});

it("damage is only told of with --no-heal, healed without it, and then everything restores", async () => {
  const [first, second] = packFiles(site.vaultFolder) as [string, string];
  damage(first);
  truncateSync(second, 100);
  const told = (await scrub(1, "--no-heal")).filter(({ event }) => event === "problem");
  expect(told.map(({ condition, healed_from }) => [condition, healed_from])).toEqual([
    ["damaged", null],
    ["damaged", null],
  ]);
  const events = await scrub(3);
  expect(events.filter(({ event }) => event === "problem").map(({ healed_from }) => healed_from)).toEqual([
    "disk",
    "disk",
  ]);
  expect(events.at(-1)).toMatchObject({ event: "done", problems: 2, healed: 2 });
  const target = join(scratch, "restored");
  await site.runAgent(["restore", `latest:${source}`, "--target", target]);
  expect(describeTree(target)).toEqual(describeTree(source));
});

it("what no replica has in good order fails, and says so for people", async () => {
  const [first] = packFiles(site.vaultFolder) as [string];
  damage(first);
  for (const path of packFiles(join(replica, "vaults", readdirSync(join(replica, "vaults"))[0]!))) {
    damage(path);
  }
  const ran = await holdfast(["gateway", "scrub", "--data", site.data], { statuses: [1] });
  expect(ran.stderr).toMatch(/pack [0-9a-f]{16} is damaged: .*; not healed: no replica holds pack/);
  expect(ran.stderr).toContain("agent backup --rescan");
});
