// The reverse journey with real processes: a datacentre, a box that it makes to restore from, and an agent that restores from the box.

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { noise } from "../agent/backup/backupFixture.ts";
import { compareTrees } from "../fidelity/compareTrees.ts";
import { done, enroll, holdfast, lastEvent, openSite, Program, type Site } from "./program.ts";

const undo: (() => void | Promise<void>)[] = [];
const passphrase = "a box that is carried back\n";
const largeBytes = 12_000_000;
let site: Site;
let state: string;
let source: string;
let snapshots: readonly string[];
let boxes = 0;

beforeAll(async () => {
  site = await openSite((end) => void undo.unshift(end));
  writeFileSync(join(site.folder, "boxphrase"), passphrase);
  source = join(site.folder, "source");
  for (const folder of ["d0", "d1/below", "d2"]) mkdirSync(join(source, folder), { recursive: true });
  for (let n = 0; n < 60; n++) writeFileSync(join(source, "d0", `f${n}`), noise(300 + n * 97, n + 1));
  for (let n = 0; n < 20; n++) writeFileSync(join(source, "d1/below", `g${n}`), noise(40_000 + n, n + 100));
  writeFileSync(join(source, "d2", "large"), noise(largeBytes, 7));
  writeFileSync(join(source, "d2", "empty"), "");
  writeFileSync(join(source, "linked"), "two names\n");
  execFileSync("ln", [join(source, "linked"), join(source, "d2", "other name")]);
  execFileSync("ln", ["-s", "nowhere", join(source, "dangling")]);
  state = await enroll(site, "laptop");
  await done("agent", "backup", source, "--state", state);
  writeFileSync(join(source, "d1", "later"), noise(50_000, 500));
  await done("agent", "backup", source, "--state", state);
  snapshots = JSON.parse(await done("agent", "snapshots", "--state", state, "--json")).map(
    ({ id }: { id: string }) => id,
  );
}, 120_000);
afterAll(async () => {
  for (const each of undo) await each();
});

function arguments_(box: string, ...more: string[]): string[] {
  return [
    ...["seed", "stage-restore", box, ...more, "--data", site.data, "--kdf-iterations", "210000"],
    ...["--passphrase-file", join(site.folder, "boxphrase"), "--listen", "127.0.0.1:0"],
    ...["--url", "https://127.0.0.1:7440"],
  ];
}

function newFolder(name: string): string {
  return join(site.folder, `${name}${++boxes}`);
}

type Box = { readonly path: string; readonly event: Record<string, unknown>; readonly from: string[]; readonly gateway: Program };

async function runBox(path: string, event: Record<string, unknown>): Promise<Box> {
  const gateway = new Program(["gateway", "run", "--data", path, "--passphrase-file", join(site.folder, "boxphrase")]);
  undo.unshift(async () => void (await gateway.stop("SIGKILL")));
  await gateway.printed(/gateway is listening/);
  const status = JSON.parse(await done("gateway", "status", "--data", path, "--json"));
  return { path, event, gateway, from: ["--gateway", status.url, "--fingerprint", status.fingerprint] };
}

async function stage(...more: string[]): Promise<Box> {
  const path = newFolder("box");
  const event = lastEvent(await done(...arguments_(path, ...more), "--json"));
  return await runBox(path, event);
}

function restore(snapshot: string, target: string, ...more: string[]): ReturnType<typeof holdfast> {
  return holdfast("agent", "restore", snapshot, "--target", target, "--state", state, "--json", ...more);
}

/** What a restore of the whole source must have made. */
function expectSource(target: string, path = source): void {
  expect(compareTrees(path, join(target, path === source ? source : ""), { without: [] })).toEqual([]);
}

test("a whole snapshot comes back from a box", async () => {
  const [newest] = snapshots as [string];
  const dry = await holdfast(...arguments_(newFolder("dry"), newest.slice(0, 8)), "--dry-run", "--json");
  expect(dry.stderr).toBe("");
  const planned = lastEvent(dry.stdout);
  expect(planned).toMatchObject({ dry_run: true, lacking: 0, left_out: 0, box: null });
  const enrolled = readFileSync(join(state, "agent.json"), "utf8");
  const box = await stage(newest.slice(0, 8));
  expect(box.event).toMatchObject({ records: planned.records, bytes: planned.bytes });
  const target = newFolder("target");
  const ran = await restore(newest.slice(0, 8), target, ...box.from);
  expect(ran).toMatchObject({ status: 0 });
  expectSource(target);
  expect(readFileSync(join(state, "agent.json"), "utf8")).toBe(enrolled);
  const listed = await done("agent", "snapshots", "--state", state, "--json", ...box.from);
  expect(JSON.parse(listed)).toMatchObject([{ id: newest }]);
  expect(JSON.parse(listed)[0].pending).toBeUndefined();
  await done("agent", "ls", `${newest}:${source}`, "--state", state, ...box.from);
}, 120_000);
