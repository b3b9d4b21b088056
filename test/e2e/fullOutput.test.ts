// Output that cannot be written: a listing fails, a backup is made and warns, and services go on and log again once there is room.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createTmpfs, fillDisk } from "../faults/loopDisk.ts";
import { canRun } from "../faults/requirements.ts";
import { tearDownAll } from "../faults/tearDown.ts";
import {
  done,
  enroll,
  holdfast,
  makeSource,
  openSite,
  program,
  type Ran,
  type Site,
  undoneAfterAll,
} from "./program.ts";

let site: Site;
let state: string;
let source: string;
const finished = undoneAfterAll();

beforeAll(async () => {
  site = await openSite(finished);
  state = await enroll(site, "one");
  source = makeSource(site.folder);
  await done("agent", "backup", source, "--state", state);
});

/** Runs a command whose stdout takes nothing. */
function intoNothing(...words: string[]): Ran {
  const full = openSync("/dev/full", "w");
  try {
    const [first = "", ...others] = program(...words);
    const stdio = ["ignore", full, "pipe"] as const;
    return { ...spawnSync(first, others, { stdio: [...stdio], encoding: "utf8" }), stdout: "" };
  } finally {
    closeSync(full);
  }
}

const lost = "holdfast: stdout: no room left on the disk. Make room and run again.\n";

test.each(["snapshots", "snapshots --json", "ls latest:/ --recursive", "find latest *", "dump latest:/"])(
  "a command that only prints fails: agent %s",
  (words) => {
    const { status, stderr } = intoNothing("agent", ...words.split(" "), "--state", state);
    expect({ status, stderr }).toEqual({ status: 1, stderr: lost });
  },
);

test("help and version, too", () => {
  for (const words of ["--version", "help"])
    expect(intoNothing(words)).toMatchObject({ status: 1, stderr: lost });
});

test("also content that is larger than what is written at a time", () => {
  const path = join(source, "inner", "large.bin");
  const { status, stderr } = intoNothing("agent", "cat", `latest:${path}`, "--state", state);
  expect({ status, stderr }).toEqual({ status: 1, stderr: lost });
});

test("a backup is made, and ends with a warning; what fails says why as ever", async () => {
  const before = JSON.parse(await done("agent", "snapshots", "--state", state, "--json"));
  const { status, stderr } = intoNothing("agent", "backup", source, "--state", state);
  expect({ status, stderr }).toEqual({ status: 3, stderr: lost });
  const after = JSON.parse(await done("agent", "snapshots", "--state", state, "--json"));
  expect(after).toHaveLength(before.length + 1);
  const failed = intoNothing("agent", "backup", join(source, "missing"), "--state", state, "--json");
  expect(failed.status).toBe(1);
  expect(failed.stderr).toContain("does not exist");
});

const started: ChildProcess[] = [];

/** A process with a file for one of its streams. */
function logging(stdio: ["ignore", number, "ignore"] | ["ignore", "ignore", number], ...words: string[]) {
  const [first = "", ...others] = program(...words);
  const child = spawn(first, others, { stdio });
  started.push(child);
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  return { child, ended };
}

describe.skipIf(!canRun("full logs", "mount", "fallocate"))("a service whose log's disk is full", () => {
  let log: string;
  let file: number;
  let filler: string;

  beforeEach(() => {
    const { folder } = createTmpfs(join(site.folder, "logs"), 1);
    log = join(folder, "log");
    file = openSync(log, "a");
    filler = fillDisk(folder, 0);
  });
  afterEach(async () => {
    for (const child of started.splice(0)) {
      const ended = child.exitCode === null && once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    }
    closeSync(file);
    tearDownAll();
  });

  const logged = (): string => readFileSync(log, "utf8");

  test("schedules go on, and tell again once there is room", async () => {
    const define = (item: string) =>
      done("item", "add", `alice/one/${item}`, source, "--data", site.data, "--schedule", "daily at 02:00");
    await define("first");
    const { child, ended } = logging(["ignore", file, "ignore"], "agent", "run", "--state", state, "--json");
    await expect.poll(() => site.gateway.stderr).toContain("/v1/items/first/estimate");
    expect(logged()).toBe("");
    rmSync(filler);
    await define("second");
    child.kill("SIGHUP");
    await expect.poll(logged).toMatch(/"event":"estimated".*"item":"second"/);
    child.kill("SIGTERM");
    expect(await ended).toBe(3);
  });

  test("the gateway goes on, and what it had to say is written once there is room", async () => {
    await site.gateway.stop();
    const gateway = logging(["ignore", "ignore", file], "gateway", "run", "--data", site.data);
    const status = () => holdfast("gateway", "status", "--data", site.data);
    await expect.poll(async () => (await status()).stdout).toMatch(/running/);
    expect(logged()).toBe("");
    rmSync(filler);
    gateway.child.kill("SIGTERM");
    expect(await gateway.ended).toBe(0);
    expect(logged()).toContain("gateway is listening");
    expect(logged()).toMatch(/gateway has stopped"\}\n$/);
  });
});
