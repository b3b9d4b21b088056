// The reverse journey with real processes: a datacentre, a box that it makes to restore from, and an agent that restores from the box.

import { execFileSync } from "node:child_process";
import {
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
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
});
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

type Box = {
  readonly path: string;
  readonly event: Record<string, unknown>;
  readonly from: string[];
  readonly gateway: Program;
};

async function runBox(path: string, event: Record<string, unknown>): Promise<Box> {
  const gateway = new Program([
    "gateway",
    "run",
    "--data",
    path,
    "--passphrase-file",
    join(site.folder, "boxphrase"),
  ]);
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
function expectSource(target: string): void {
  expect(compareTrees(source, join(target, source))).toEqual([]);
}

test("a whole snapshot comes back from a box", async () => {
  const [newest] = snapshots as [string];
  const dry = await holdfast(...arguments_(newFolder("dry"), newest.slice(0, 8)), "--dry-run", "--json");
  expect(dry.stderr).toBe("");
  const planned = lastEvent(dry.stdout);
  expect(planned).toMatchObject({ dry_run: true, lacking: 0, left_out: 0, box: null, eta_from: "measured" });
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
  await done("agent", "check", newest, "--read-data", "100%", "--state", state, ...box.from);
});

test("a box brings what the target lacks, and nothing else", async () => {
  const [newest] = snapshots as [string];
  const target = newFolder("target");
  expect(await restore(newest, target)).toMatchObject({ status: 0 });
  const need = join(site.folder, "need");
  const needOf = async (): Promise<Record<string, unknown>> =>
    lastEvent((await restore(newest, target, "--dry-run", "--need-out", need)).stdout);
  // All is right.
  expect(await needOf()).toMatchObject({ need_chunks: 0, need_bytes: 0 });
  expect(readFileSync(need).length).toBe(24);
  const at = join(target, source);
  const large = join(at, "d2", "large");
  const { atime, mtime } = { atime: new Date(0), mtime: new Date(1_000_000_000) };
  // One small file changed, with its size and time as they were; one place of a large one; one is gone.
  const f3 = readFileSync(join(at, "d0", "f3"));
  f3[17] = (f3[17] as number) ^ 1;
  writeFileSync(join(at, "d0", "f3"), f3);
  utimesSync(join(at, "d0", "f3"), atime, mtime);
  const file = openSync(large, "r+");
  writeSync(file, Buffer.from("changed"), 0, 7, 5_000_000);
  closeSync(file);
  rmSync(join(at, "d1", "below", "g4"));
  rmSync(join(at, "linked"));
  const before = compareTrees(source, at);
  const needed = await needOf();
  // It looked and changed nothing.
  expect(compareTrees(source, at)).toEqual(before);
  const chunks = needed.need_chunks as number;
  // A range of the large file, and what the small ones are bundled in: of keyed chunkers, so it may be one bundle.
  expect(chunks).toBeGreaterThanOrEqual(2);
  expect(needed.need_bytes as number).toBeLessThan(largeBytes / 2);
  const box = await stage(newest, "--need", need);
  expect(box.event.left_out as number).toBeGreaterThanOrEqual(2);
  expect(box.event.bytes as number).toBeLessThan(largeBytes / 2);
  // To a target that has nothing: exactly what was left out fails, and says why.
  const empty = newFolder("empty");
  const failed = await restore(newest, empty, ...box.from);
  expect(failed.status).toBe(3);
  expect(failed.stderr + failed.stdout).toContain("was left out of this box");
  expect(failed.stderr + failed.stdout).not.toContain("on its way");
  const differences = compareTrees(source, join(empty, source)).filter(({ aspect }) => aspect !== "mtime");
  expect(differences.length).toBeGreaterThan(0);
  expect(new Set(differences.map(({ aspect }) => aspect))).toEqual(new Set(["missing"]));
  expect(differences.map(({ path }) => path)).toContain("d2/large");
  expect(differences.map(({ path }) => path)).not.toContain("d0/f3");
  // The list of snapshots says so too.
  const [row] = JSON.parse(await done("agent", "snapshots", "--state", state, "--json", ...box.from));
  expect(row.pending).toEqual([0]);
  // To the target it was made for: all of it.
  const ran = await restore(newest, target, ...box.from);
  expect(ran).toMatchObject({ status: 0 });
  expectSource(target);
});

test("paths come back from a box, of a vault that is unlocked", async () => {
  const [newest, first] = snapshots as [string, string];
  const paths = [`${newest}:${source}/d1`, `${first}:${source}/d2/large`, `${newest}:${source}/d0/f7`];
  const locked = await holdfast(...arguments_(newFolder("locked"), paths[0] as string));
  expect(locked).toMatchObject({ status: 1 });
  expect(locked.stderr).toContain("locked");
  await done("vault", "unlock", "alice", "--data", site.data, "--password-file", site.password);
  const none = await holdfast(...arguments_(newFolder("none"), `${newest}:${source}/d9`), "--dry-run");
  expect(none.stderr).toContain("has no");
  const box = await stage(...paths);
  for (const [index, name] of ["d1", "d2/large", "d0/f7"].entries()) {
    const target = newFolder("part");
    expect(await restore(paths[index] as string, target, ...box.from)).toMatchObject({ status: 0 });
    if (index === 0) expect(compareTrees(join(source, name), target)).toEqual([]);
    else {
      const file = join(target, name.split("/").at(-1) as string);
      expect(readFileSync(file).equals(readFileSync(join(source, name)))).toBe(true);
    }
  }
  // What the older snapshot has there is on no way to what was asked for.
  const other = await restore(`${first}:${source}/d1`, newFolder("other"), ...box.from);
  expect(other.status).not.toBe(0);
  expect(other.stderr + other.stdout).toContain("was left out of this box");
});

test("a box to restore from takes nothing, is not sealed, imported or given up, and tells a thief nothing", async () => {
  const box = await stage(...snapshots);
  const token = JSON.parse(readFileSync(join(state, "agent.json"), "utf8")).token as string;
  const number = String((box.event.box as { number: number }).number);
  const data = ["--data", site.data];
  // An agent that is sent there by hand: its enrolment names the box as its gateway.
  const astray = join(site.folder, "state-astray");
  cpSync(state, astray, { recursive: true });
  const enrollment = JSON.parse(readFileSync(join(astray, "agent.json"), "utf8"));
  const gateway = { url: box.from[1], fingerprint: box.from[3] };
  writeFileSync(join(astray, "agent.json"), JSON.stringify({ ...enrollment, gateway }));
  const backup = await holdfast("agent", "backup", source, "--state", astray);
  expect(backup.status).toBe(1);
  expect(backup.stderr).toContain("a box to restore from");
  const status = await done("seed", "status", "--data", box.path);
  expect(status).toContain("to restore from");
  expect(await done("seed", "status", number, ...data)).toMatch(/restoring +sealed/);
  const custody = await done("seed", "custody", "--data", box.path);
  expect(custody).toMatch(/prepared[\s\S]*sealed[\s\S]*started/);
  const seal = await holdfast("seed", "seal", "--data", box.path, "--offline");
  expect(seal.stderr).toContain("was sealed when it was made");
  for (const command of [
    ["import", box.path],
    ["abandon", number],
  ]) {
    const refused = await holdfast("seed", ...command, ...data);
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain("to restore from");
  }
  await box.gateway.stop();
  const again = await holdfast(...arguments_(box.path, ...snapshots));
  expect(again.stderr).toContain("holds box");
  const secrets = ["laptop", "alice", token, "d0", "later"].map((text) => Buffer.from(text));
  for (const entry of readdirSync(box.path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const bytes = readFileSync(join(entry.parentPath, entry.name));
    for (const secret of secrets.filter(({ length }) => length > 4)) {
      expect([entry.name, bytes.includes(secret)]).toEqual([entry.name, false]);
    }
  }
});

const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 2 ** 31));
const kills = Number(process.env.HOLDFAST_KILLS ?? 4);

// The last test: the datacentre does not run any more, so that the command itself does the work.
test(`a box whose making is killed is finished by the same command (seed ${seed})`, {
  timeout: 120_000 + kills * 20_000,
}, async () => {
  await site.gateway.stop();
  let random = seed;
  const below = (most: number): number => {
    random = (Math.imul(random, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return (random >>> 8) % most;
  };
  let path = newFolder("killed");
  for (let killed = 0; killed < kills; killed++) {
    const making = new Program(arguments_(path, ...snapshots));
    const ended = making.ended();
    await Promise.race([making.printed(/record/).catch(() => undefined), ended]);
    await new Promise((resolve) => setTimeout(resolve, below(1500)));
    making.child.kill(below(3) === 0 ? "SIGINT" : "SIGKILL");
    // One that was faster leaves another box to begin with.
    if ((await ended).status === 0 && killed < kills - 1) path = newFolder("killed");
  }
  const last = await holdfast(...arguments_(path, ...snapshots), "--json");
  if (last.status !== 0) expect(last.stderr).toContain("holds box");
  const box = await runBox(path, {});
  const target = newFolder("target");
  expect(await restore(snapshots[0] as string, target, ...box.from)).toMatchObject({ status: 0 });
  expectSource(target);
  // The drive reads there too: nobody answers at home.
  const mountpoint = newFolder("drive");
  mkdirSync(mountpoint);
  const drive = new Program(["agent", "mount", mountpoint, "--foreground", "--state", state, ...box.from]);
  undo.unshift(async () => void (await drive.stop("SIGKILL")));
  await drive.printed(/The drive is at/);
  const shown = join(mountpoint, "alice", "laptop", "files", "latest", source, "d2", "large");
  expect(readFileSync(shown).equals(readFileSync(join(source, "d2", "large")))).toBe(true);
  expect(await drive.stop("SIGINT")).toMatchObject({ status: 0 });
});
