// `agent backup` in portions, as processes: what it says, what it leaves, what others see of it, and kills in between.

import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { randomFrom } from "../fidelity/random.ts";
import { canMount } from "../fs/fuse/mounting.ts";
import {
  done,
  enroll,
  enrollArguments,
  holdfast,
  lastEvent,
  openSite,
  Program,
  type Site,
  undoneAfterAll,
} from "./program.ts";

const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 2 ** 31));
const random = randomFrom(seed);
const totalFiles = 62;

let site: Site;
let state: string;
let source: string;
const finished = undoneAfterAll();

beforeAll(async () => {
  site = await openSite(finished);
  state = await enrollIsolated("isolated");
  source = join(site.folder, "source");
  for (let index = 0; index < 60; index++) {
    const folder = join(source, `d${index % 4}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `f${index}`), random.bytes(random.below(200_000)));
  }
  writeFileSync(join(source, "d1", "large"), random.bytes(4_000_000));
  linkSync(join(source, "d0", "f0"), join(source, "d3", "linked"));
  await pause(1100); // younger files are read again in any case
});

/** A device that finds no chunks of the others, as if it had an account of its own. */
async function enrollIsolated(device: string): Promise<string> {
  await done(...enrollArguments(site, device), "--isolated");
  return join(site.folder, `state-${device}`);
}

type Done = {
  readonly event: string;
  readonly snapshot: string;
  readonly incomplete: boolean;
  readonly portion: number;
  readonly stopped_by: string | null;
  readonly stopped_at: string | null;
  readonly files: number;
  readonly files_read: number;
  readonly bytes_read: number;
  readonly sent_bytes: number;
};

function backupArguments(item: string, ...more: string[]): string[] {
  return ["agent", "backup", source, "--item", item, "--no-reference", "--state", state, "--json", ...more];
}

async function backup(item: string, ...more: string[]): Promise<Done> {
  return lastEvent(await done(...backupArguments(item, ...more))) as Done;
}

type Row = { readonly id: string; readonly incomplete: boolean };

async function snapshots(item: string): Promise<Row[]> {
  return JSON.parse(await done("agent", "snapshots", "--item", item, "--state", state, "--json")) as Row[];
}

/** Restores a snapshot of the source and compares all of it. */
async function compareRestore(snapshot: string, of = state): Promise<void> {
  const target = join(site.folder, `restored-${snapshot.slice(0, 8)}`);
  await done("agent", "restore", `${snapshot}:${source}`, "--target", target, "--state", of);
  execFileSync("diff", ["-r", source, target]);
  const inode = (name: string): string =>
    execFileSync("stat", ["-c", "%i", join(target, name)], { encoding: "utf8" });
  expect(inode("d3/linked")).toBe(inode("d0/f0"));
  rmSync(target, { recursive: true });
}

test(`sizes at random until it is complete: what each run says, and the whole at the end (seed ${seed})`, async () => {
  const other = await enroll(site, "alone");
  const alone = lastEvent(
    await done("agent", "backup", source, "--state", other, "--json", "--item", "alone"),
  ) as Done;
  const isolated = await enrollIsolated("sizes");
  const runs: Done[] = [];
  for (;;) {
    const limit = `${1 + random.below(3000)}KiB`;
    const dry = lastEvent(
      await done(
        "agent",
        "backup",
        source,
        "--state",
        isolated,
        "--json",
        "--limit-size",
        limit,
        "--dry-run",
      ),
    );
    const run = lastEvent(
      await done("agent", "backup", source, "--state", isolated, "--json", "--limit-size", limit),
    ) as Done;
    runs.push(run);
    expect(dry).toMatchObject({
      dry_run: true,
      incomplete: run.incomplete,
      portion: run.portion,
      stopped_at: run.stopped_at,
      files_read: run.files_read,
    });
    expect(run).toMatchObject({ event: "done", portion: runs.length });
    if (!run.incomplete) break;
    expect(run).toMatchObject({ stopped_by: "limit-size" });
    expect(run.stopped_at).toContain(source);
    expect(runs.length).toBeLessThan(totalFiles);
  }
  const sum = (of: (run: Done) => number): number => runs.reduce((total, run) => total + of(run), 0);
  expect(runs.length).toBeGreaterThan(1);
  expect(sum(({ files_read }) => files_read)).toBe(alone.files_read);
  expect(sum(({ bytes_read }) => bytes_read)).toBe(alone.bytes_read);
  expect(sum(({ sent_bytes }) => sent_bytes)).toBeLessThanOrEqual(alone.sent_bytes * 1.02);
  expect(runs.at(-1)?.files).toBe(totalFiles);
  await compareRestore(runs.at(-1)?.snapshot as string, isolated);
});

test("--cycle makes portions until all is there; killed at any moment it keeps what was committed", async () => {
  const committed = new Set<string>();
  let finished: Done | undefined;
  for (let kill = 0; finished === undefined; kill++) {
    const cycle = new Program(backupArguments("cycle", "--cycle", "--limit-size", "600KiB"));
    const events = (): Done[] =>
      cycle.stdout
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Done);
    if (kill < 3) {
      await cycle.printed(/"event":"portion"/);
      await pause(random.below(150));
      await cycle.stop(kill === 0 ? "SIGINT" : "SIGKILL");
    } else expect(await cycle.ended()).toMatchObject({ status: 0 });
    for (const event of events()) {
      if (event.event === "portion") expect(event).toMatchObject({ incomplete: true });
      if (event.event === "portion" || event.event === "done") committed.add(event.snapshot);
      if (event.event === "done") finished = event;
    }
    const known = (await snapshots("cycle")).map(({ id }) => id);
    expect(known).toEqual(expect.arrayContaining([...committed]));
  }
  const rows = await snapshots("cycle");
  expect(finished).toMatchObject({ incomplete: false, portion: rows.length });
  expect(rows.map(({ incomplete }) => incomplete)).toEqual(rows.map((_, index) => index > 0));
  expect(rows.length).toBeGreaterThan(5);
  await compareRestore("latest");
});

test("an incomplete snapshot is listed, mounted and restored as what it is, and is never the latest", async () => {
  const ran = await holdfast(
    ...["agent", "backup", source, "--item", "part", "--state", state, "--limit-size", "2MiB"],
  );
  expect(ran.status).toBe(0);
  expect(ran.stdout).toMatch(
    /It is INCOMPLETE: portion 1 stopped at --limit-size, before \S+, with \S+ MiB\./,
  );
  expect(ran.stdout).toMatch(/Run the same command again to go on there\./);
  const [row] = await snapshots("part");
  expect(row).toMatchObject({ incomplete: true });
  const id = row?.id as string;
  const list = await done("agent", "snapshots", "--item", "part", "--state", state);
  expect(list).toMatch(/\(incomplete\)$/m);
  const latest = await holdfast("agent", "ls", "latest:/", "--item", "part", "--state", state);
  expect(latest.status).toBe(1);
  expect(latest.stderr).toMatch(/no complete snapshot of item part/);
  const ls = await holdfast("agent", "ls", `${id}:${source}/d0`, "--state", state);
  expect(ls.stdout).toContain("f0");
  expect(ls.stderr).toMatch(/^holdfast: note: snapshot [0-9a-f]{16} is incomplete/);

  const target = join(site.folder, "part");
  const deleting = await holdfast(
    ...["agent", "restore", `${id}:${source}`, "--target", target, "--delete", "--state", state],
  );
  expect(deleting.status).toBe(2);
  const restored = await done(
    ...["agent", "restore", `${id}:${source}`, "--target", target, "--state", state, "--json"],
  );
  expect(lastEvent(restored)).toMatchObject({ event: "done", incomplete: true });
  for (const name of readdirSync(join(target, "d0")))
    expect(readFileSync(join(target, "d0", name))).toEqual(readFileSync(join(source, "d0", name)));

  if (!canMount) return;
  const mountpoint = join(site.folder, "mount");
  mkdirSync(mountpoint);
  const drive = new Program(["agent", "mount", mountpoint, "--foreground", "--state", state]);
  const item = join(mountpoint, "alice", "isolated", "part");
  while (!readdirSync(mountpoint).includes("alice")) await pause(50);
  const [folder, ...more] = readdirSync(item);
  expect(more).toEqual([]);
  expect(folder).toMatch(/^\d{4}-\d\d-\d\dT\d{6}Z-incomplete$/);
  execFileSync("diff", ["-r", target, join(item, folder as string, source)]);
  // The complete one comes, and is the latest.
  const { snapshot } = await backup("part", "--limit-size", "1GiB");
  expect(snapshot).not.toBe(id);
  while (!readdirSync(item).includes("latest")) await pause(50);
  execFileSync("diff", ["-r", source, join(item, "latest", source)]);
  await drive.stop();
});

test("wrong combinations are told before anything starts", async () => {
  for (const wrong of [
    ["--cycle"],
    ["--limit-size", "0"],
    ["--limit-time", "0s"],
    ["--limit-size", "1GiB", "--rescan"],
    ["--limit-time", "6h", "--cycle", "--dry-run"],
  ]) {
    const { status, stdout } = await holdfast(...backupArguments("wrong", ...wrong));
    expect(status, wrong.join(" ")).toBe(2);
    expect(lastEvent(stdout)).toMatchObject({ event: "error", code: "usage" });
  }
  expect(await backup("timed", "--limit-time", "6h")).toMatchObject({ incomplete: false, portion: 1 });
});
