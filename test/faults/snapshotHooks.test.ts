// Backups from snapshots of their source: real btrfs subvolumes and a frozen ext4, what a snapshot holds and what its backup says, and that
// nothing is left when agent, script or program is killed. HOLDFAST_HOOK_KILLS sets how often (15), HOLDFAST_SEED repeats a run.

import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { randomFrom } from "../fidelity/random.ts";
import { createCompressingDisk, createDisk, type Disk } from "./loopDisk.ts";
import { eventsOf, type Program, type Ran, Site } from "./program.ts";
import { canRun } from "./requirements.ts";
import { tearDownAll } from "./tearDown.ts";

const kills = Number(process.env.HOLDFAST_HOOK_KILLS ?? 15);
const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);
const hasTools = canRun("snapshots of sources", "losetup", "mkfs.btrfs", "mkfs.ext4", "mount");
const known = hasTools && /\tbtrfs$/m.test(fs.readFileSync("/proc/filesystems", "utf8"));
if (hasTools && !known) process.stderr.write("\n*** SKIPPED: this kernel has no btrfs ***\n\n");

describe.skipIf(!known)("snapshots of sources", () => {
  let scratch: string;
  let site: Site;
  let btrfs: Disk;
  let ext4: Disk;
  /** A subvolume, and another in it. */
  let sub: string;
  let inner: string;

  beforeAll(async () => {
    scratch = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), "holdfast-hooked-")));
    btrfs = createCompressingDisk(scratch, "btrfs", 160);
    ext4 = createDisk(scratch, "ext4", 32);
    sub = join(btrfs.folder, "sub");
    inner = join(sub, "inner");
    for (const each of [sub, inner])
      execFileSync("btrfs", ["subvolume", "create", each], { stdio: "ignore" });
    for (const each of [sub, inner, ext4.folder]) {
      fs.mkdirSync(join(each, "folder"));
      for (let i = 0; i < 50; i++)
        fs.writeFileSync(join(each, "folder", `f${i}`), `${each} ${i} `.repeat(100 * i));
      fs.writeFileSync(join(each, "state"), "before");
    }
    site = await Site.create(join(scratch, "site"));
  });
  afterAll(async () => {
    await site?.stop();
    btrfs?.unmount();
    ext4?.unmount();
    tearDownAll();
    if (scratch !== undefined) fs.rmSync(scratch, { recursive: true });
  });

  const doneOf = (ran: Ran): Readonly<Record<string, unknown>> => eventsOf(ran).at(-1) ?? {};
  const backup = (paths: readonly string[], args: readonly string[], statuses = [0]): Promise<Ran> =>
    site.runAgent(["backup", ...paths, ...args, "--json"], { statuses });
  const shown = async (snapshot: unknown, path: string): Promise<string> =>
    (await site.runAgent(["cat", `${snapshot}:${path}`])).stdout;

  /** Everything that a run may have left. */
  function leftOver(): string[] {
    const below = (folder: string): string[] =>
      fs.existsSync(folder) ? fs.readdirSync(folder).map((name) => join(folder, name)) : [];
    return [
      ...below(join(sub, ".holdfast-snapshots")),
      ...below(join(inner, ".holdfast-snapshots")),
      ...below(join(site.state, "snapshots")),
      ...below(site.state).filter((path) => /hooks\.json|\.new$/.test(path)),
    ];
  }

  const stateFiles = (): string[] =>
    fs.readdirSync(site.state, { recursive: true, encoding: "utf8" }).toSorted();

  it("the backup is of the moment of the snapshot, under the source's paths; the next one opens no file", async () => {
    const changes = [sub, inner]
      .map((each) => `printf after >${each}/state; rm ${each}/folder/f7`)
      .join("; ");
    const first = await backup(
      [sub, inner],
      ["--item", "one", "--snapshot", "auto", "--after-snapshot", changes],
    );
    const { snapshot, files } = doneOf(first);
    expect(files).toBe(102);
    for (const each of [sub, inner]) {
      expect(fs.readFileSync(join(each, "state"), "utf8")).toBe("after");
      expect(await shown(snapshot, join(each, "state"))).toBe("before");
      expect(await shown(snapshot, join(each, "folder", "f7"))).toBe(`${each} 7 `.repeat(700));
    }
    const names = (await site.runAgent(["ls", "--recursive", String(snapshot)])).stdout;
    expect(names).toContain(join(inner, "folder"));
    expect(names).not.toContain(".holdfast-snapshots");
    expect(leftOver()).toEqual([]);

    const again = async (...args: string[]) => doneOf(await backup([sub, inner], ["--item", "one", ...args]));
    const second = await again("--snapshot", "btrfs");
    expect(second).toMatchObject({ files: 100, files_read: 2 });
    // Read as it is, the same files are known as well, and nothing differs, not the folder that the snapshot was in.
    for (const args of [["--snapshot", "btrfs"], []]) {
      const { files, files_read: read, snapshot: next } = await again(...args);
      expect({ files, read }).toEqual({ files: 100, read: 0 });
      expect((await site.runAgent(["diff", `${second.snapshot}:${sub}`, String(next)])).stdout).toBe("");
    }
  });

  it("a subvolume or a mount that is not named is read as it is, and a note says so", async () => {
    const mounted = join(sub, "mounted");
    fs.mkdirSync(mounted);
    const disk = createDisk(scratch, "other", 8);
    execFileSync("mount", ["--bind", disk.folder, mounted]);
    try {
      fs.writeFileSync(join(mounted, "there"), "there");
      const change = `for each in ${inner} ${mounted}; do echo late >$each/late; done`;
      const ran = await backup([sub], ["--item", "two", "--snapshot", "btrfs", "--after-snapshot", change]);
      const { snapshot, warnings } = doneOf(ran);
      expect(warnings).toBe(0);
      expect(
        eventsOf(ran)
          .filter(({ event }) => event === "note")
          .map(({ path }) => path)
          .toSorted(),
      ).toEqual([inner, mounted]);
      expect(await shown(snapshot, join(mounted, "there"))).toBe("there");
      for (const each of [inner, mounted]) expect(await shown(snapshot, join(each, "late"))).toBe("late\n");
      const one = doneOf(
        await backup([sub], ["--item", "three", "--snapshot", "btrfs", "--one-file-system"]),
      );
      expect((await site.runAgent(["ls", "--recursive", String(one.snapshot)])).stdout).not.toContain(
        "there",
      );
    } finally {
      execFileSync("umount", [mounted]);
      disk.unmount();
      fs.rmdirSync(mounted);
      fs.rmSync(join(inner, "late"));
    }
  });

  it("a stranger's folder in the place of ours is refused", async () => {
    const folder = join(sub, ".holdfast-snapshots");
    fs.rmdirSync(folder);
    fs.symlinkSync(inner, folder);
    const ran = await backup([sub], ["--item", "one", "--snapshot", "btrfs"], [1]);
    expect(doneOf(ran)).toMatchObject({
      code: "hook-failed",
      message: expect.stringContaining("only this user can enter"),
    });
    fs.rmSync(folder);
    // What the sweep could not do then, it does now.
    await backup([sub], ["--item", "one", "--snapshot", "btrfs"]);
    expect(leftOver()).toEqual([]);
  });

  it("frozen: writers wait until the backup is over, or until the limit, which is a warning", async () => {
    const environment = { HOLDFAST_FREEZE_SECONDS: "60" };
    const late = join(ext4.folder, "late");
    const write = `(echo late >${late}; echo written >${scratch}/written) >/dev/null 2>&1 & sleep 0.5; test ! -e ${scratch}/written`;
    const freeze = ["backup", ext4.folder, "--item", "frozen", "--json", "--snapshot", "fsfreeze"];
    const ran = await site.runAgent([...freeze, "--after-snapshot", write], { environment });
    expect(doneOf(ran)).toMatchObject({ event: "done", files: 51, warnings: 0 });
    while (!fs.existsSync(join(scratch, "written"))) await sleep(20);
    expect(leftOver()).toEqual([]);

    const short = { environment: { HOLDFAST_FREEZE_SECONDS: "1" }, statuses: [3] };
    const slow = await site.runAgent([...freeze, "--after-snapshot", `echo late >${late}`], short);
    expect(eventsOf(slow)).toContainEqual({
      event: "warning",
      message: expect.stringContaining("raise HOLDFAST_FREEZE_SECONDS"),
    });
    await site.runAgent([...freeze]);

    const hang = 'test "$HOLDFAST_RESULT" = interrupted || { echo ready; sleep 600; }';
    const killed = site.agent([...freeze, "--after-snapshot", hang], { environment });
    while (!killed.stdout.includes("ready")) await sleep(20);
    await killed.end("SIGKILL");
    fs.writeFileSync(late, "it thaws by itself");

    const state = await site.runAgent(["backup", "/", "--item", "root", "--json", "--snapshot", "fsfreeze"], {
      statuses: [1],
    });
    expect(doneOf(state)).toMatchObject({
      code: "hook-failed",
      message: expect.stringContaining("the backup would wait for itself"),
    });
    expect(leftOver()).toEqual([]);
  });

  it(`kill -9 of agent, script or program, ${kills} times: the next start leaves nothing`, {
    timeout: 60_000 + kills * 20_000,
  }, async () => {
    console.log(`HOLDFAST_SEED=${seed} HOLDFAST_HOOK_KILLS=${kills}`);
    const random = randomFrom(seed);
    const notes = join(scratch, "notes");
    const after = `echo "$HOLDFAST_RUN $HOLDFAST_RESULT" >>${notes}`;
    const hooks = ["--before", "sleep 0.1", "--after", after];
    const folders = [sub, inner, "--item", "killed", "--snapshot", "btrfs", ...hooks];
    const dump = "for part in 1 2 3 4 5 6 7 8; do head -c 1000000 /dev/urandom; sleep 0.05; done";
    const program = ["--item", "dump", "--program", dump, "--as", "dump", ...hooks];
    const hits = { agent: 0, script: 0, left: 0 };
    const begun = async (agent: Program): Promise<number> => {
      while (agent.running && !fs.existsSync(join(site.state, "hooks.json"))) await sleep(5);
      return performance.now();
    };
    const usualMs = new Map<readonly string[], number>();
    for (const args of [folders, program]) {
      const whole = site.agent(["backup", "--json", ...args]);
      const first = await begun(whole);
      expect((await whole.ended).status).toBe(0);
      usualMs.set(args, performance.now() - first);
    }
    const files = stateFiles();
    for (let round = 0; round < kills; round++) {
      const args = random.below(2) === 0 ? folders : program;
      const agent = site.agent(["backup", "--json", ...args]);
      await begun(agent);
      await sleep(random.below(Math.ceil(usualMs.get(args) ?? 0)));
      const script = random.below(2) === 0 ? await nextScript(agent) : undefined;
      hits[script === undefined ? "agent" : "script"] += 1;
      if (script === undefined) agent.child.kill("SIGKILL");
      else killIfThere(script);
      await agent.ended;
      if (leftOver().length > 0) hits.left += 1;
      await backup(args, []);
      expect(leftOver(), `round ${round}`).toEqual([]);
      expect(stateFiles(), `round ${round}`).toEqual(files);
    }
    console.log(
      `kills: ${JSON.stringify(hits)}; whole runs took ${[...usualMs.values()].map(Math.round)} ms`,
    );
    const runs = fs.readFileSync(notes, "utf8").trim().split("\n");
    expect(runs.filter((line) => line.endsWith(" done")).length).toBeGreaterThan(kills);
    // The state directory can be locked: no script of a killed run holds it.
    expect(spawnSync("flock", ["--nonblock", join(site.state, "lock"), "true"]).status).toBe(0);
    if (kills >= 25) expect(hits.left).toBeGreaterThan(0);
  });

  /** The next process that an agent starts and waits for; undefined where it starts none any more. */
  async function nextScript(agent: Program): Promise<number | undefined> {
    while (agent.running) {
      const script = scriptOf(agent);
      if (script !== undefined) return script;
      await sleep(2);
    }
    return undefined;
  }

  function scriptOf(agent: Program): number | undefined {
    const tasks = `/proc/${agent.child.pid}/task`;
    try {
      const children = fs.readdirSync(tasks).flatMap((task) => readChildren(`${tasks}/${task}/children`));
      return children[0];
    } catch {
      return undefined; // the agent has ended
    }
  }

  function readChildren(path: string): number[] {
    return fs
      .readFileSync(path, "utf8")
      .split(" ")
      .filter((pid) => pid.trim() !== "")
      .map(Number);
  }

  function killIfThere(pid: number): void {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself meanwhile.
    }
  }
});
