// A gateway and an agent as real processes of the program itself, so that a signal hits them and nothing in between.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../bench/peers/ports.ts";
import { compileCache, programVariables, programWords, sourceWords } from "../programWords.ts";
import { Questions } from "./questions.ts";
import { onTearDown } from "./tearDown.ts";

export type Ran = { readonly status: number | null; readonly stdout: string; readonly stderr: string };

export type RunOptions = {
  /** Modules of this folder that are loaded before the program. */
  readonly preload?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Words before the command: what it is to run under. */
  readonly under?: readonly string[];
};

/** A process of the program. */
export class Program {
  readonly child: ChildProcess;
  readonly ended: Promise<Ran>;
  #stdout = "";
  #stderr = "";

  constructor(args: readonly string[], options: RunOptions = {}) {
    const preload = (options.preload ?? []).flatMap((name) => [
      "--import",
      resolve(import.meta.dirname, name),
    ]);
    // What is loaded before it may change modules of the sources.
    const own = preload.length === 0 ? programWords : sourceWords;
    const environment = { ...process.env, NODE_COMPILE_CACHE: compileCache, ...programVariables(args) };
    const [first = "", ...words] = [
      ...(options.under ?? []),
      process.execPath,
      ...own.slice(0, -1),
      ...preload,
      ...own.slice(-1),
      ...args,
    ];
    this.child = spawn(first, words, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...environment, ...options.environment },
    });
    const forget = onTearDown(() => this.child.kill("SIGKILL"));
    this.child.stdout?.on("data", (bytes: Buffer) => {
      this.#stdout += bytes.toString();
    });
    this.child.stderr?.on("data", (bytes: Buffer) => {
      this.#stderr += bytes.toString();
    });
    this.ended = new Promise((resolve, reject) => {
      this.child.on("error", reject);
      this.child.on("close", (status) => {
        forget();
        resolve({ status, stdout: this.#stdout, stderr: this.#stderr });
      });
    });
  }

  /** What it wrote so far. */
  get stdout(): string {
    return this.#stdout;
  }

  /** A gateway's log so far. */
  get stderr(): string {
    return this.#stderr;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Ends it by a signal and waits until it is gone. */
  async end(signal: "SIGKILL" | "SIGTERM"): Promise<Ran> {
    this.child.kill(signal);
    return this.ended;
  }
}

/** Runs the program to its end; fails unless its exit status is one of those expected. */
export async function holdfast(
  args: readonly string[],
  options: RunOptions & { readonly statuses?: readonly number[] } = {},
): Promise<Ran> {
  const ran = await new Program(args, options).ended;
  if (ran.status === null || !(options.statuses ?? [0]).includes(ran.status)) {
    throw new Error(`holdfast ${args.join(" ")}: status ${ran.status}\n${ran.stderr}\n${ran.stdout}`);
  }
  return ran;
}

/** The events of `--json`, one a line. */
export function eventsOf({ stdout }: Ran): Readonly<Record<string, unknown>>[] {
  return stdout
    .trim()
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
}

/** Starts `gateway run`. */
export function startGateway(args: readonly string[], options: RunOptions = {}): Program {
  return new Program(["gateway", "run", ...args, "--json"], options);
}

/** Waits until a gateway listens; fails when it ends before. */
export async function listening(gateway: Program): Promise<void> {
  while (!gateway.stdout.includes('"listening"')) {
    if (!gateway.running) throw new Error(`the gateway did not start:\n${(await gateway.ended).stderr}`);
    await sleep(30);
  }
}

/** The last line of a backup's `--json`. */
export type Done = { readonly snapshot: string; readonly new_chunks: number; readonly sent_bytes: number };

/** Room that a gateway keeps free on its disk; it looks when it starts. */
export function setReserve(data: string, reserveMiB: number): void {
  const config = join(data, "config.toml");
  const text = readFileSync(config, "utf8");
  writeFileSync(config, text.replace(/^reserve-mib = .*$/m, `reserve-mib = ${reserveMiB}`));
}

export type SiteOptions = {
  /** Data directory of the gateway; below `folder` unless given. */
  readonly data?: string;
  /** State directory of the agent; likewise. */
  readonly state?: string;
  readonly reserveMiB?: number;
};

/** One gateway with one account and one enrolled agent. */
export class Site {
  readonly folder: string;
  readonly data: string;
  readonly state: string;
  readonly passwordFile: string;
  readonly recoveryKeyFile: string;
  readonly url: string;
  #gateway: Program | undefined;

  private constructor(folder: string, url: string, options: SiteOptions) {
    this.folder = folder;
    this.url = url;
    this.data = options.data ?? join(folder, "data");
    this.state = options.state ?? join(folder, "state");
    this.passwordFile = join(folder, "password");
    this.recoveryKeyFile = join(folder, "recovery-key");
  }

  /** Makes the gateway, starts it, adds an account and enrolls an agent. */
  static async create(folder: string, options: SiteOptions = {}): Promise<Site> {
    mkdirSync(folder, { recursive: true });
    const listen = `127.0.0.1:${await freePort()}`;
    const site = new Site(folder, `https://${listen}`, options);
    writeFileSync(site.passwordFile, "correct horse battery staple\n", { mode: 0o600 });
    const key = ["--recovery-key-file", join(folder, "gateway-recovery-key")];
    const made = await holdfast(["gateway", "init", "--data", site.data, "--listen", listen, ...key]);
    const fingerprint = /SHA256:[0-9A-Fa-f]{64}/.exec(made.stdout)?.[0];
    if (fingerprint === undefined) throw new Error(`gateway init printed no fingerprint:\n${made.stdout}`);
    setReserve(site.data, options.reserveMiB ?? 0);
    const password = ["--password-file", site.passwordFile];
    await holdfast([
      ...["account", "add", "alice", "--data", site.data, ...password],
      ...["--recovery-key-file", site.recoveryKeyFile, "--kdf-iterations", "210000"],
    ]);
    await site.start();
    await holdfast([
      ...["agent", "enroll", site.url, "--account", "alice", ...password],
      ...["--fingerprint", fingerprint, "--device", "laptop", "--state", site.state],
    ]);
    return site;
  }

  /** The same gateway and agent with copies of their directories. */
  with(options: Required<Pick<SiteOptions, "data" | "state">>): Site {
    return new Site(this.folder, this.url, options);
  }

  /** The gateway's process. */
  get gateway(): Program {
    if (this.#gateway === undefined) throw new Error("the gateway was never started");
    return this.#gateway;
  }

  /** Starts the gateway and waits until it listens. */
  async start(options: RunOptions = {}): Promise<void> {
    this.#gateway = startGateway(["--data", this.data], options);
    await listening(this.#gateway);
  }

  async stop(): Promise<Ran> {
    const ran = await this.gateway.end("SIGTERM");
    if (ran.status !== 0) throw new Error(`the gateway ended with status ${ran.status}:\n${ran.stderr}`);
    return ran;
  }

  /** Has all packs closed, so that the next backup begins new ones. */
  async closePacks(): Promise<void> {
    await this.stop();
    await this.start({ preload: ["packTarget.ts"], environment: { HOLDFAST_TEST_PACK_BYTES: "1" } });
    const open = join(this.vaultFolder, "open");
    while (readdirSync(open).length > 0) await sleep(20);
    await this.stop();
    await this.start();
  }

  /** Starts an agent's command. */
  agent(args: readonly string[], options: RunOptions = {}): Program {
    return new Program(["agent", ...args, "--state", this.state], options);
  }

  /** Runs an agent's command to its end. */
  runAgent(
    args: readonly string[],
    options: RunOptions & { readonly statuses?: readonly number[] } = {},
  ): Promise<Ran> {
    return holdfast(["agent", ...args, "--state", this.state], options);
  }

  /** A backup that must work. */
  async backup(
    paths: readonly string[],
    options: RunOptions & { statuses?: readonly number[] } = {},
  ): Promise<Done> {
    const ran = await this.runAgent(["backup", ...paths, "--json"], options);
    return eventsOf(ran).at(-1) as Done;
  }

  /** What the gateway that the agent was enrolled at knows. */
  get questions(): Questions {
    return new Questions(this.state);
  }

  /** Ids of all snapshots, newest first. */
  snapshots(): Promise<string[]> {
    return this.questions.snapshots();
  }

  /** Which of these records the gateway does not have. */
  absent(ids: Iterable<string>): Promise<string[]> {
    return this.questions.absent(ids);
  }

  /** The folder of the account's one vault. */
  get vaultFolder(): string {
    const vaults = join(this.data, "vaults");
    const [name] = existsSync(vaults) ? readdirSync(vaults) : [];
    if (name === undefined) throw new Error("the gateway has no vault");
    return join(vaults, name);
  }
}
