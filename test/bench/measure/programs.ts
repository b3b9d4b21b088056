// Starts programs: short ones that are measured to their end, and long ones (a gateway, a mount) that serve meanwhile.
//
// CPU seconds of a short program are the growth of cutime + cstime in /proc/self/stat over the step. The kernel adds a
// child's exact rusage there when it is waited for, with everything the child itself waited for (wait4 does the same
// sum; Node does not offer it). So exactly one measured child may run at a time, which `measure` sees to. Resolution
// 10 ms. CPU seconds of a service are the growth of its own process tree's times between start and end of the step.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { performance } from "node:perf_hooks";
import { BenchFailure } from "../failure.ts";
import { signalGroup, watchGroup } from "../lifetimes.ts";
import { readCpu, treeCpu } from "./procfs.ts";
import { startSampler } from "./sampler.ts";

export type Program = {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** What to call the program itself in the figures; services bring their own names. */
  readonly role: string;
};

/** CPU seconds and highest anonymous + shared memory in bytes of one role. */
export type Usage = { readonly cpuSeconds: number; readonly peakMemory: number };

export type Measurement = {
  readonly seconds: number;
  readonly usage: ReadonlyMap<string, Usage>;
  readonly stdout: string;
  readonly stderr: string;
};

export type Service = {
  readonly pid: number;
  readonly output: () => string;
  readonly hasEnded: () => boolean;
  /** SIGTERM, then SIGKILL after ten seconds; resolves when the process is reaped. */
  readonly stop: () => Promise<void>;
};

/** Output beyond this is cut at the front: only last lines (summaries, error messages) are read. */
const OUTPUT_KEPT = 1 << 20;
const STOP_PATIENCE_MS = 10_000;

let measuring = false;

/**
 * Runs a program to its end and measures it together with the services it leans on (role to PID).
 * Throws BenchFailure on any exit status but 0.
 */
export async function measure(
  program: Program,
  services: ReadonlyMap<string, number> = new Map(),
): Promise<Measurement> {
  if (measuring) throw new Error("two programs measured at once: their CPU times would mix");
  measuring = true;
  try {
    const serviceCpu = new Map([...services].map(([role, pid]) => [role, treeCpu(pid)]));
    const reaped = readCpu("self").reaped;
    const started = performance.now();
    const { child, pid, stdout, stderr } = start(program);
    const sampler = startSampler(new Map([[program.role, pid], ...services]));
    let seconds = 0;
    child.once("exit", () => {
      seconds = (performance.now() - started) / 1000;
    });
    const [code, signal] = (await once(child, "close")) as [number | null, string | null];
    const peaks = sampler.stop();
    const usage = new Map<string, Usage>();
    usage.set(program.role, {
      cpuSeconds: readCpu("self").reaped - reaped,
      peakMemory: peaks.get(program.role) ?? 0,
    });
    for (const [role, service] of services) {
      usage.set(role, {
        cpuSeconds: treeCpu(service) - (serviceCpu.get(role) ?? 0),
        peakMemory: peaks.get(role) ?? 0,
      });
    }
    if (code !== 0) throw failure(program, `ended with ${signal ?? `status ${code}`}`, stderr() || stdout());
    return { seconds, usage, stdout: stdout(), stderr: stderr() };
  } finally {
    measuring = false;
  }
}

/**
 * Starts a program that goes on until it is stopped. setpriv becomes the program, and has the kernel send it SIGTERM if
 * this process dies without a chance to clean up.
 */
export function startService(program: Program): Service {
  const args = ["--pdeathsig", "TERM", program.command, ...program.args];
  const { child, pid, stdout, stderr } = start({ ...program, command: "setpriv", args });
  const closed = once(child, "close");
  const hasEnded = (): boolean => child.exitCode !== null || child.signalCode !== null;
  return {
    pid,
    output: () => `${stdout()}\n${stderr()}`.trim(),
    hasEnded,
    stop: async () => {
      if (!hasEnded()) signalGroup(pid, "SIGTERM");
      const timer = setTimeout(() => signalGroup(pid, "SIGKILL"), STOP_PATIENCE_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}

/** Asks `ready` every 20 ms until it answers true. Throws BenchFailure if the service ends first or takes too long. */
export async function untilReady(
  program: Program,
  service: Service,
  ready: () => boolean | Promise<boolean>,
  patienceMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while (!(await ready())) {
    if (service.hasEnded()) throw failure(program, "ended before it was ready", service.output());
    if (performance.now() > deadline)
      throw failure(program, `was not ready after ${patienceMs} ms`, service.output());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

type Started = {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly stdout: () => string;
  readonly stderr: () => string;
};

// Each program leads its own process group, so that its helpers can be ended with it.
function start(program: Program): Started {
  const child = spawn(program.command, program.args, {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    env: { ...process.env, ...program.env },
    ...(program.cwd === undefined ? {} : { cwd: program.cwd }),
  });
  child.on("error", () => {}); // without a PID the next line reports it
  if (child.pid === undefined) throw failure(program, "could not be started", "");
  const unwatch = watchGroup(child.pid);
  child.once("exit", unwatch);
  return { child, pid: child.pid, stdout: tailOf(child.stdout), stderr: tailOf(child.stderr) };
}

function tailOf(stream: NodeJS.ReadableStream | null): () => string {
  let tail = Buffer.alloc(0);
  stream?.on("data", (data: Buffer) => {
    tail = Buffer.concat([tail, data]);
    if (tail.length > 2 * OUTPUT_KEPT) tail = tail.subarray(-OUTPUT_KEPT);
  });
  return () => tail.toString("utf8");
}

function failure(program: Program, what: string, output: string): BenchFailure {
  const call = [program.command, ...program.args].join(" ");
  return new BenchFailure(`${call}: ${what}\n${output.trim().split("\n").slice(-15).join("\n")}`.trim());
}
