// Signals, closed pipes, other users: how the program behaves as a process.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, closeSync, cpSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { canMount } from "../fs/fuse/mounting.ts";
import {
  done,
  enroll,
  holdfast,
  lastEvent,
  makeSource,
  openSite,
  Program,
  program,
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
});

test("a stopped backup says that it can be continued, commits nothing, and is continued", async () => {
  writeFileSync(join(source, "random"), randomBytes(8_000_000));
  const run = new Program([
    "agent",
    "backup",
    source,
    "--state",
    state,
    "--limit-upload",
    "256KiB",
    "--json",
  ]);
  await run.printed(/"event":"progress"/);
  const { status, stdout, stderr } = await run.stop("SIGINT");
  expect(status).toBe(1);
  expect(stderr).toMatch(/^holdfast: stopped by SIGINT\. Run again to continue\.\n$/);
  expect(lastEvent(stdout)).toMatchObject({ event: "error", code: "cancelled" });
  expect(JSON.parse(await done("agent", "snapshots", "--state", state, "--json"))).toEqual([]);
  await done("agent", "backup", source, "--state", state);
});

test("a reader that goes away is no failure", async () => {
  await done("agent", "backup", source, "--state", state);
  const ls = ["agent", "ls", "latest:/", "--recursive", "--state", state];
  const script = `"$@" | head -n 1; echo "\${PIPESTATUS[0]}"`;
  const ran = spawnSync("bash", ["-c", script, "bash", ...program(...ls)], { encoding: "utf8" });
  expect(ran.stderr).toBe("");
  expect(ran.stdout.trim().split("\n").at(-1)).toBe("0");
});

test("a reader that is slow gets all of it, and one that never reads is left when the program is told to end", async () => {
  // More than a pipe holds. Pipes of a shell: where Node starts a program it makes sockets, which hold more.
  const words = ["agent", "ls", `--${"x".repeat(100_000)}`, "--json"];
  const slowly = (redirected: string): string => {
    const script = `"$@" ${redirected} | { sleep 0.3; cat; }; exit "\${PIPESTATUS[0]}"`;
    const read = spawnSync("bash", ["-c", script, "bash", ...program(...words)], { encoding: "utf8" });
    expect(read.status).toBe(2);
    return read.stdout;
  };
  expect(JSON.parse(slowly("2>/dev/null"))).toMatchObject({ event: "error", code: "usage" });
  const line = slowly("2>&1 >/dev/null");
  expect(line.length).toBeGreaterThan(100_000);
  expect(line.slice(-100)).toMatch(/xx\. See: holdfast help agent ls\n$/);

  const [fifo, said] = [join(site.folder, "fifo"), join(site.folder, "said")];
  execFileSync("mkfifo", [fifo]);
  const reader = openSync(fifo, "r+");
  // What is said on stderr comes last, and into a file at once.
  const [stdout, stderr] = [openSync(fifo, "w"), openSync(said, "w")];
  const [first = "", ...others] = program(...words);
  const unread = spawn(first, others, { stdio: ["ignore", stdout, stderr] });
  onTestFinished(() => {
    unread.kill("SIGKILL");
    for (const fd of [reader, stdout, stderr]) closeSync(fd);
  });
  const ended = new Promise((resolve) => unread.once("exit", resolve));
  await expect.poll(() => readFileSync(said, "utf8")).toMatch(/\n$/);
  expect(await Promise.race([ended, pause(500, "waits")])).toBe("waits");
  unread.kill("SIGTERM");
  expect(await ended).toBe(2);
});

test("--quiet prints nothing but errors; --json tells errors as well", async () => {
  const quiet = await holdfast("agent", "backup", source, "--state", state, "--quiet");
  expect(quiet).toEqual({ status: 0, stdout: "", stderr: "" });
  const missing = await holdfast("agent", "backup", join(source, "nothing-here"), "--state", state, "--json");
  expect(missing.status).toBe(1);
  expect(lastEvent(missing.stdout)).toMatchObject({ event: "error", code: "not-found" });
  const pattern = await holdfast("agent", "backup", source, "--exclude-regex", "(", "--state", state);
  expect(pattern.status).toBe(2);
});

test("SIGHUP reads the gateway's settings again, and a wrong file changes nothing", async () => {
  const file = join(site.data, "config.toml");
  const before = readFileSync(file, "utf8");
  writeFileSync(file, before.replace(/^name = .*$/m, 'name = "renamed"'));
  expect(await done("config", "check", "--data", site.data)).toContain("good");
  site.gateway.child.kill("SIGHUP");
  await site.gateway.printed(/settings were read again/);
  expect(await done("gateway", "status", "--data", site.data)).toContain("renamed");
  writeFileSync(file, `${before}\nnonsense = 1\n`);
  const checked = await holdfast("config", "check", "--data", site.data);
  expect([checked.status, checked.stderr]).toEqual([2, expect.stringContaining("nonsense")]);
  site.gateway.child.kill("SIGHUP");
  await site.gateway.printed(/former ones stay/);
  expect(await done("gateway", "status", "--data", site.data)).toContain("renamed");
  writeFileSync(file, before);
});

test("doctor: 0 where nothing must be mended, else 1 with what to do", async () => {
  const places = ["--data", site.data, "--state", state];
  const well = await holdfast("doctor", ...places);
  expect(well.status, well.stdout).toBe(0);
  expect(well.stdout).toContain("answers");
  chmodSync(state, 0o755);
  const open = await holdfast("doctor", ...places, "--json");
  chmodSync(state, 0o700);
  expect(open.status).toBe(1);
  expect(open.stderr).toContain(`chmod go-rwx ${state}`);
  const findings = open.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(findings.filter((finding) => finding.state === "problem")).toHaveLength(1);
});

// In a mount namespace of its own, where /dev/fuse may be opened by everyone, as udev makes it elsewhere.
test.skipIf(!canMount())("a user other than root mounts through fusermount3", async () => {
  const home = join(site.folder, "home");
  const point = join(home, "drive");
  mkdirSync(point, { recursive: true });
  // Archived modes count in the drive as well.
  chmodSync(site.folder, 0o755);
  await done("agent", "backup", source, "--state", state);
  cpSync(state, join(home, "state"), { recursive: true });
  execFileSync("chown", ["-R", "65534:65534", home]);
  const device = join(site.folder, "fuse");
  execFileSync("mknod", ["-m", "666", device, "c", "10", "229"]);
  const script = `
    mount --bind "$1" /dev/fuse; home=$2; shift 2
    user="setpriv --reuid=65534 --regid=65534 --clear-groups $READ"
    $user "$@" agent mount "$home/drive" --state "$home/state" || exit 1
    $user ls "$home"/drive/alice/one/files/latest$SOURCE
    $user fusermount3 -u "$home/drive"`;
  const ran = spawnSync("unshare", ["-m", "sh", "-c", script, "sh", device, home, ...program()], {
    encoding: "utf8",
    // The one capability lets the user read the program wherever it is checked out; it does not help with mounting.
    env: {
      ...process.env,
      HOME: home,
      SOURCE: source,
      READ: "--inh-caps=+dac_read_search --ambient-caps=+dac_read_search",
    },
  });
  expect([ran.status, ran.stderr]).toEqual([0, ""]);
  expect(ran.stdout).toMatch(/^a\.txt$/m);
});
