// The systemd units, run as systemd would run them: started, killed, started again. Where systemd's own checker is there, it reads them too.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { canRun } from "../faults/requirements.ts";
import { canMount, sh, tool } from "../fs/fuse/mounting.ts";
import {
  done,
  enroll,
  makeSource,
  mountsBelow,
  openSite,
  type Program,
  runGateway,
  type Site,
  scratchFolder,
} from "./program.ts";

const root = join(import.meta.dirname, "..", "..");
const folder = join(root, "appliance", "systemd");
const files = readdirSync(folder).filter((name) => name.endsWith(".service"));

/** The unit's text with this checkout in place of the installed program. */
function textOf(file: string): string {
  return readFileSync(join(folder, file), "utf8").replaceAll(
    "/usr/bin/holdfast",
    join(root, "bin", "holdfast"),
  );
}

/** A unit at work: Restart=always, with ExecStopPost in between. */
class Unit {
  readonly #text: string;
  readonly #mountpoint: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #ended: Promise<void>;
  #starts = 0;
  #stopping = false;
  #pid = 0;

  constructor(file: string, mountpoint: string, env: NodeJS.ProcessEnv) {
    this.#text = textOf(file);
    this.#mountpoint = mountpoint;
    this.#env = { ...process.env, ...env };
    expect(this.#value("Restart")).toBe("always");
    this.#ended = this.#run();
    onTestFinished(() => this.stop());
  }

  #value(key: string): string {
    const [, value = ""] = new RegExp(`^${key}=[-+]*(.*)$`, "m").exec(this.#text) ?? [];
    expect(value, key).not.toBe("");
    return value;
  }

  /** Its words are the shell's too. */
  #command(key: string) {
    const command = this.#value(key).replaceAll("%f", `'${this.#mountpoint}'`);
    return spawn("sh", ["-c", `exec ${command}`], { stdio: ["ignore", "ignore", "inherit"], env: this.#env });
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      const child = this.#command("ExecStart");
      this.#pid = child.pid as number;
      this.#starts++;
      await once(child, "exit");
      this.#pid = 0;
      await once(this.#command("ExecStopPost"), "exit");
      if (!this.#stopping) await pause(Number(this.#value("RestartSec")) * 1000);
    }
  }

  /** Waits as others that are ordered after it would. */
  async started(): Promise<void> {
    await once(this.#command("ExecStartPost"), "exit");
  }

  /** Kills it and waits until it was started again. */
  async killed(): Promise<void> {
    const before = this.#starts;
    process.kill(this.#pid, "SIGKILL");
    await expect.poll(() => this.#starts).toBeGreaterThan(before);
  }

  async stop(): Promise<void> {
    if (!this.#stopping && this.#pid !== 0) process.kill(this.#pid, "SIGTERM");
    this.#stopping = true;
    await this.#ended;
  }
}

test.skipIf(!canRun("checking units", "systemd-analyze"))(
  "systemd has nothing to say against them",
  async () => {
    const scratch = scratchFolder();
    expect(files).toHaveLength(4);
    const copies = files.map((file) => {
      const copy = join(scratch, file.replace("@.", "@srv-backups."));
      writeFileSync(copy, textOf(file));
      return copy;
    });
    const { status, stderr } = await sh('systemd-analyze verify --man=no "$@"', ...copies);
    // It also reads the units of this machine, and may find fault with those.
    const about = stderr.split("\n").filter((line) => copies.some((copy) => line.includes(basename(copy))));
    expect({ status, about }).toEqual({ status: 0, about: [] });
    // How exposed they are, of 100: services of their own users with walls, and drives, which cannot have any.
    for (const [file, most] of [
      ["holdfast-gateway.service", 20],
      ["holdfast-agent.service", 25],
      ["holdfast-agent-mount@srv-backups.service", 70],
    ] as const) {
      const asked = ["--offline=true", `--threshold=${most}`, "--no-pager", join(scratch, file)];
      const security = await sh('systemd-analyze security "$@"', ...asked);
      expect(security.status, security.stdout.toString()).toBe(0);
    }
  },
);

describe.skipIf(!canMount())("drives by unit", () => {
  let site: Site;
  let state: string;
  let source: string;
  let gateway: Program;
  const undo: (() => void | Promise<void>)[] = [];

  beforeAll(async () => {
    site = await openSite((each) => undo.unshift(each));
    gateway = site.gateway;
    // A gateway that is started again has to be where it was.
    const config = join(site.data, "config.toml");
    const settings = readFileSync(config, "utf8");
    writeFileSync(config, settings.replace(/^listen = .*$/m, `listen = "${new URL(site.url).host}"`));
    state = await enroll(site, "one");
    source = makeSource(site.folder);
    await done("agent", "backup", source, "--state", state);
  });
  afterAll(async () => {
    await gateway.stop("SIGKILL");
    for (const each of undo) await each();
  });

  async function restart(signal: NodeJS.Signals): Promise<void> {
    await gateway.stop(signal);
    gateway = await runGateway(site.data);
  }

  const unlock = () =>
    done("vault", "unlock", "alice", "--data", site.data, "--password-file", site.password);

  test("a gateway's drive comes back after its gateway was killed, stopped, and after its own end", async () => {
    const mountpoint = join(site.folder, "my drive");
    mkdirSync(mountpoint);
    const unit = new Unit("holdfast-mount@.service", mountpoint, { HOLDFAST_DATA: site.data });
    await unit.started();
    const item = join(mountpoint, "alice", "one", "files");
    const note = (await tool('cat "$1"', join(item, "LOCKED.txt"))).toString();
    expect(note).toContain(`holdfast vault unlock alice --data ${site.data} --for 8h`);
    const file = join(item, "latest", source, "a.txt");
    const readable = () => expect.poll(() => sh('cat "$1"', file)).toMatchObject({ status: 0 });
    const locked = () => expect.poll(() => readdir(item)).toContain("LOCKED.txt");
    await unlock();
    await readable();
    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      await restart(signal);
      await locked();
      await unlock();
      await readable();
    }
    await unit.killed();
    await unit.started();
    await readable();
    await unit.stop();
    expect(mountsBelow(site.folder)).toEqual([]);
  });

  test("an agent's drive outlives its gateway, and comes back after its own end", async () => {
    const mountpoint = join(site.folder, "drive");
    mkdirSync(mountpoint);
    const unit = new Unit("holdfast-agent-mount@.service", mountpoint, { HOLDFAST_STATE: state });
    await unit.started();
    const file = join(mountpoint, "alice", "one", "files", "latest", source, "inner", "large.bin");
    const same = () => tool('cmp "$1" "$2"', file, join(source, "inner", "large.bin"));
    await restart("SIGTERM");
    await same();
    await unit.killed();
    await unit.started();
    await same();
    await unit.stop();
    expect(mountsBelow(site.folder)).toEqual([]);
  });
});
