// One gateway, one agent, real processes: what goes in comes out.

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { compareTrees } from "../fidelity/compareTrees.ts";
import { canMount, tool } from "../fs/fuse/mounting.ts";
import {
  done,
  enroll,
  holdfast,
  lastEvent,
  makeSource,
  mountsBelow,
  openSite,
  Program,
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

describe("back up and restore", () => {
  test("a first backup tells what it did, in JSON", async () => {
    const event = lastEvent(await done("agent", "backup", source, "--state", state, "--json"));
    expect(event).toMatchObject({ event: "done", item: "files", files: 5, warnings: 0 });
    expect(event.snapshot).toMatch(/^[0-9a-f]{64}$/);
    for (const field of ["dirs", "bytes", "new_chunks", "sent_bytes", "read_back_bytes", "seconds"]) {
      expect(event[field], field).toBeTypeOf("number");
    }
  });

  test("a second one of the same tree sends no content", async () => {
    const event = lastEvent(await done("agent", "backup", source, "--state", state, "--json"));
    expect(event).toMatchObject({ files: 5 });
    expect(event.sent_bytes).toBeLessThan(20_000);
  });

  test("snapshots are listed newest first", async () => {
    const rows = JSON.parse(await done("agent", "snapshots", "--state", state, "--json")) as Record<
      string,
      unknown
    >[];
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatchObject({ item: "files", device: "one", files: 5 });
    expect(Object.keys(rows[0] as object)).toEqual(
      expect.arrayContaining(["id", "item", "device", "time", "received", "files", "bytes", "tree"]),
    );
    expect(String(rows[0]?.time) > String(rows[1]?.time)).toBe(true);
    expect(rows[0]?.tree).toMatch(/^[0-9a-f]{64}$/);
  });

  test("restore gives back every byte and attribute", async () => {
    const target = join(site.folder, "restored");
    await done("agent", "restore", "latest", "--target", target, "--state", state);
    expect(compareTrees(source, join(target, source))).toEqual([]);
    await done("agent", "restore", `latest:${source}/inner`, "--target", `${target}-part`, "--state", state);
    expect(compareTrees(join(source, "inner"), `${target}-part`, { without: ["links"] })).toEqual([]);
  });

  test("ls, cat, find, diff and check look inside", async () => {
    const at = ["--state", state];
    expect(await done("agent", "ls", `latest:${source}`, ...at)).toMatch(/^-rw-.* \/.*\/a\.txt$/m);
    expect(await done("agent", "cat", `latest:${source}/a.txt`, ...at)).toBe("first\n");
    expect(await done("agent", "find", "latest", "*.conf", ...at)).toContain("b é.conf");
    expect(await done("agent", "find", "large*", ...at)).toContain("large.bin");
    writeFileSync(join(source, "new.txt"), "new\n");
    await done("agent", "backup", source, ...at);
    const [, second] = JSON.parse(await done("agent", "snapshots", ...at, "--json")) as { id: string }[];
    const diff = await done("agent", "diff", second?.id.slice(0, 12) ?? "", "latest", ...at);
    expect(diff).toContain(`+ ${source}/new.txt`);
    expect(diff).not.toContain("a.txt");
    expect(await done("agent", "check", "--read-data", "100%", ...at)).toMatch(/0 problems/);
  });

  test("a dry run names what it would read and sends nothing", async () => {
    writeFileSync(join(source, "a.txt"), "changed\n");
    const before = await done("agent", "snapshots", "--state", state, "--json");
    const told = await done("agent", "backup", source, "--state", state, "--dry-run");
    expect(told).toMatch(/^changed +\/.*\/a\.txt/m);
    expect(told).not.toContain("large.bin");
    expect(await done("agent", "snapshots", "--state", state, "--json")).toBe(before);
  });

  test("a folder of a pseudo file system is kept empty, without a warning", async () => {
    const words = ["agent", "backup", "/proc/self/attr", "--item", "odd", "--state", state, "--json"];
    const ran = await holdfast(...words);
    expect(ran).toMatchObject({ status: 0, stderr: "" });
    expect(lastEvent(ran.stdout)).toMatchObject({ event: "done", files: 0, others: 0, warnings: 0 });
  });

  test("two runs with one state directory: the second says so", async () => {
    const { lockState } = await import("../../agent/state/stateDirectory.ts");
    const lock = lockState(state);
    const ran = await holdfast("agent", "backup", source, "--state", state);
    lock.release();
    expect(ran.status).toBe(1);
    expect(ran.stderr).toContain("another run is using");
    await done("agent", "backup", source, "--state", state);
  });

  test("another device of the account restores what the first one lost", async () => {
    const other = await enroll(site, "two");
    const target = join(site.folder, "rescued");
    await done("agent", "restore", "latest", "--device", "one", "--target", target, "--state", other);
    expect(compareTrees(source, join(target, source))).toEqual([]);
  });
});

describe.skipIf(!canMount())("drives", () => {
  const roots = (point: string): string => join(point, "alice", "one", "files", "latest", source);

  async function sameAsSource(seen: string): Promise<void> {
    await tool('diff -r --no-dereference "$1" "$2"', source, seen);
    // Modes, owners, links, sizes and times to the nanosecond; directories have other sizes and link counts.
    const facts =
      'cd "$1" && find . \\( -type d -printf "%P %y %m %U %G %T+\\n" \\) -o -printf "%P %y %m %U %G %n %s %T+ %l\\n" | sort';
    expect((await tool(facts, seen)).toString()).toBe((await tool(facts, source)).toString());
  }

  test("agent mount in the background shows the source, and new snapshots appear in it", async () => {
    const point = join(site.folder, "drive");
    mkdirSync(point);
    await done("agent", "backup", source, "--state", state);
    await done("agent", "mount", point, "--state", state);
    await sameAsSource(roots(point));
    const items = join(point, "alice", "one", "files");
    const before = readdirSync(items);
    await done("agent", "backup", source, "--state", state);
    await expect.poll(() => readdirSync(items).length).toBe(before.length + 1);
    const [pidFile = ""] = readdirSync(join(state, "drives")).filter((name) => name.endsWith(".pid"));
    const pid = Number(readFileSync(join(state, "drives", pidFile), "utf8"));
    await tool('umount "$1"', point);
    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  test("kill -9 leaves a dead mount that the next mount clears away; SIGTERM unmounts", async () => {
    const point = join(site.folder, "drive-killed");
    mkdirSync(point);
    const first = new Program(["agent", "mount", point, "--foreground", "--state", state]);
    await first.printed(/The drive is at/);
    await first.stop("SIGKILL");
    const second = new Program(["agent", "mount", point, "--foreground", "--state", state]);
    await second.printed(/The drive is at/);
    await sameAsSource(roots(point));
    expect((await second.stop("SIGTERM")).status).toBe(0);
    expect(mountsBelow(site.folder)).not.toContain(point);
  });

  test("gateway mount: closed while locked, open once unlocked, gone with the gateway's end or umount", async () => {
    const point = join(site.folder, "drive-gateway");
    mkdirSync(point);
    await done("gateway", "mount", point, "--data", site.data);
    const [time = ""] = readdirSync(join(point, "alice", "one", "files"));
    expect(() => readdirSync(join(point, "alice", "one", "files", time))).toThrow();
    await done(
      "vault",
      "unlock",
      "alice",
      "--data",
      site.data,
      "--password-file",
      site.password,
      "--for",
      "1h",
    );
    await expect.poll(() => listed(roots(point))).toContain("inner");
    await sameAsSource(roots(point));
    await done("vault", "lock", "alice", "--data", site.data);
    await expect.poll(() => listed(roots(point))).toEqual([]);
    await tool('umount "$1"', point);
  });

  test("gateway mount --foreground opens a directory that no gateway runs on", async () => {
    const point = join(site.folder, "drive-alone");
    mkdirSync(point);
    await site.gateway.stop();
    const drive = new Program([
      ...["gateway", "mount", point, "--data", site.data, "--foreground", "--password-file", site.password],
    ]);
    onTestFinished(async () => {
      await drive.stop("SIGKILL");
    });
    await drive.printed(/The drive is at/);
    await sameAsSource(roots(point));
    expect((await drive.stop("SIGINT")).status).toBe(0);
    expect(mountsBelow(site.folder)).not.toContain(point);
  });
});

function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("the agent's cache may go at any time", async () => {
  const { runGateway } = await import("./program.ts");
  const other = await openSite();
  const device = await enroll(other, "one");
  await done("agent", "backup", source, "--state", device);
  rmSync(join(device, "cache"), { recursive: true });
  const event = lastEvent(await done("agent", "backup", source, "--state", device, "--json"));
  // The one page above the source that has the time of the system's folder for temporary files, which whatever else runs may change.
  expect(event.new_chunks).toBeLessThanOrEqual(1);
  // Nor does the gateway mind being moved.
  await other.gateway.stop();
  renameSync(other.data, `${other.data}-moved`);
  const moved = await runGateway(`${other.data}-moved`);
  onTestFinished(async () => {
    await moved.stop("SIGKILL");
  });
});
