// Runs the program as its users do: real processes, whose pid is the program's own.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, onTestFinished } from "vitest";
import { compileCache, programVariables, programWords } from "../programWords.ts";

/** The lowest that clients take; the default would cost half a second each time. */
const fastKdf = ["--kdf-iterations", "210000"];

export type Ran = { readonly status: number | null; readonly stdout: string; readonly stderr: string };

const environment: NodeJS.ProcessEnv = {
  PATH: process.env.PATH,
  HOME: tmpdir(),
  LANG: "C.UTF-8",
  NODE_COMPILE_CACHE: compileCache,
};

/** A running program. Killed when the test ends. */
export class Program {
  readonly child: ChildProcess;
  stdout = "";
  stderr = "";
  readonly #closed: Promise<number | null>;

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(process.execPath, [...programWords, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...environment, ...programVariables(args), ...env },
      detached: true, // no terminal, so that nothing can be asked
    });
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.#closed = new Promise((resolve) => this.child.once("close", (status) => resolve(status)));
  }

  get pid(): number {
    return this.child.pid as number;
  }

  async ended(): Promise<Ran> {
    const status = await this.#closed;
    return { status, stdout: this.stdout, stderr: this.stderr };
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Ran> {
    this.child.kill(signal);
    return this.ended();
  }

  /** Waits until it printed this. */
  async printed(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.stdout + this.stderr)) {
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        throw new Error(`it ended before it printed ${pattern}: ${this.stdout}${this.stderr}`);
      }
      await pause(20);
    }
  }
}

/** The words that start the program with these arguments, for a shell. */
export function program(...args: string[]): string[] {
  return [process.execPath, ...programWords, ...args];
}

/** Runs a command line to its end. */
export function holdfast(...args: string[]): Promise<Ran> {
  return new Program(args).ended();
}

/** Runs a command line that must succeed; gives its stdout. */
export async function done(...args: string[]): Promise<string> {
  const ran = await holdfast(...args);
  if (ran.status !== 0)
    throw new Error(`holdfast ${args.join(" ")}: status ${ran.status}\n${ran.stdout}${ran.stderr}`);
  return ran.stdout;
}

/** The last line of --json output. */
export function lastEvent(stdout: string): Record<string, unknown> {
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Record<string, unknown>;
}

/** An empty directory, removed with the test (or file) that made it. Mounts below it are detached first. */
export function scratchFolder(finished: (undo: () => void) => void = onTestFinished): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-e2e-")));
  finished(() => {
    for (const mountpoint of mountsBelow(folder))
      execFileSync("umount", ["-l", mountpoint], { stdio: "ignore" });
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** What is mounted below a folder, innermost first. */
export function mountsBelow(folder: string): string[] {
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((path) => path.startsWith(`${folder}/`))
    .reverse();
}

/** Takes steps that are to be undone after a file's tests, or a group's: the last first. To be called outside of hooks. */
export function undoneAfterAll(): (step: () => void | Promise<void>) => void {
  const undo: (() => void | Promise<void>)[] = [];
  afterAll(async () => {
    for (const step of undo.reverse()) await step();
  });
  return (step) => void undo.push(step);
}

/** A gateway with account "alice", in a folder of its own. */
export type Site = {
  readonly folder: string;
  readonly data: string;
  readonly url: string;
  readonly fingerprint: string;
  readonly password: string;
  readonly recoveryKey: string;
  readonly gateway: Program;
};

/** Starts the gateway of a data directory and waits until it answers. */
export async function runGateway(data: string): Promise<Program> {
  const gateway = new Program(["gateway", "run", "--data", data]);
  await gateway.printed(/gateway is listening/);
  return gateway;
}

/** Init (with further arguments), run, account add. */
export async function openSite(
  finished: (undo: () => void | Promise<void>) => void = onTestFinished,
  ...initArguments: readonly string[]
): Promise<Site> {
  const folder = scratchFolder(finished as (undo: () => void) => void);
  const [data, password, recoveryKey] = [
    join(folder, "data"),
    join(folder, "password"),
    join(folder, "recovery"),
  ];
  writeFileSync(password, "correct horse battery staple\n", { mode: 0o600 });
  await done(
    "gateway",
    "init",
    "--data",
    data,
    "--listen",
    "127.0.0.1:0",
    "--recovery-key-file",
    join(folder, "grk"),
    ...initArguments,
  );
  const gateway = await runGateway(data);
  finished(async () => {
    await gateway.stop("SIGKILL");
  });
  await done(
    ...["account", "add", "alice", "--data", data, "--password-file", password],
    ...["--recovery-key-file", recoveryKey, ...fastKdf],
  );
  const log = `${gateway.stdout}${gateway.stderr}`.split("\n");
  const { url, fingerprint } = JSON.parse(log.find((line) => line.includes("gateway is listening")) ?? "");
  return { folder, data, url, fingerprint, password, recoveryKey, gateway };
}

/** The command line that enrolls `device`; its state directory is named after it. */
export function enrollArguments(site: Site, device: string): string[] {
  return [
    ...["agent", "enroll", site.url, "--account", "alice", "--password-file", site.password],
    ...[
      "--fingerprint",
      site.fingerprint,
      "--device",
      device,
      "--state",
      join(site.folder, `state-${device}`),
    ],
  ];
}

/** Enrolls and returns the state directory. */
export async function enroll(site: Site, device: string): Promise<string> {
  await done(...enrollArguments(site, device));
  return join(site.folder, `state-${device}`);
}

/** A few files of every common kind. Returns the folder. */
export function makeSource(folder: string): string {
  const source = join(folder, "source");
  mkdirSync(join(source, "inner", "empty"), { recursive: true });
  writeFileSync(join(source, "a.txt"), "first\n");
  writeFileSync(join(source, "b é.conf"), "second\n".repeat(1000));
  writeFileSync(join(source, "inner", "large.bin"), Buffer.alloc(3_000_000, "0123456789abcdefg"));
  writeFileSync(join(source, "inner", "nothing"), "");
  execFileSync("ln", ["-s", "nowhere", join(source, "dangling")]);
  execFileSync("ln", [join(source, "a.txt"), join(source, "inner", "linked")]);
  return source;
}
