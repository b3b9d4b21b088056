// Runs one command or script of a hook to its end: within its time limit, with bounded output, and without leaving anything behind when it
// is stopped.
//
// Invariant: when a hook that was stopped or killed, or a script that failed, has been waited for, no process with its mark is left (but one
// that the kernel does not let go).

import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { signalGroup } from "../platform/commandGroups.ts";
import { killMarked, markVariable } from "./markedProcesses.ts";

export type HookRun = {
  readonly words: readonly string[];
  /** Names this run, for its processes to be found by. */
  readonly mark: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly timeoutMs: number;
  /** Stops it. */
  readonly signal: AbortSignal | undefined;
  /** Standard output is wanted, and not shown. */
  readonly capture: boolean;
  /** From SIGTERM to SIGKILL, and from there until nobody waits any more; ten seconds unless given. */
  readonly graceMs?: number;
  readonly line: (text: string) => void;
};

export type HookEnd = {
  /** Undefined where it ended with status 0; else what happened, as the end of a sentence. */
  readonly failed: string | undefined;
  /** Its exit status, where it ended with one. */
  readonly status: number | undefined;
  /** Where it was wanted. */
  readonly stdout: Buffer;
};

type Hook = ChildProcessByStdio<null, Readable, Readable>;

/** Of what is wanted, and of what is shown. */
export const outputBytesMax = 64 * 1024;
const lineBytesMax = 1000;
const usualGraceMs = 10_000;
/** How long output is waited for when the process has ended: a daemon that it left may keep it open. */
const drainMs = 1000;

/** Runs it to its end. What fails is said, not thrown. */
export async function runHook(run: HookRun): Promise<HookEnd> {
  try {
    return await waitFor(start(run), run);
  } catch (error) {
    // More words or variables than the system takes, say.
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return { failed: `cannot be started (${message})`, status: undefined, stdout: Buffer.alloc(0) };
  }
}

function start({ words: [program = "", ...words], mark, environment }: HookRun): Hook {
  return spawn(program, words, {
    cwd: "/",
    detached: true, // a process group of its own: all of it is ended, and Ctrl-C is ours
    env: { ...environment, [markVariable]: mark },
    stdio: ["ignore", "pipe", "pipe"],
  });
}

async function waitFor(child: Hook, run: HookRun): Promise<HookEnd> {
  const { graceMs = usualGraceMs } = run;
  const { promise: ended, resolve: end } = Promise.withResolvers<string | undefined>();
  const timers = new Set<NodeJS.Timeout>();
  const after = (ms: number, what: () => void): void => void timers.add(setTimeout(what, ms));
  let why: string | undefined;
  let exited = false;
  const stop = (reason: string): void => {
    if (why !== undefined || exited) return;
    why = reason;
    signalGroup(child.pid, "SIGTERM");
    after(graceMs, () => {
      signalGroup(child.pid, "SIGKILL");
      after(graceMs, () => end("does not end, not even killed"));
    });
  };
  const onAbort = (): void => stop("was stopped");
  const shown = new ShownLines(run.line);
  const wanted: Buffer[] = [];
  let wantedBytes = 0;
  const want = (bytes: Buffer): void => {
    wantedBytes += bytes.length;
    if (wantedBytes > outputBytesMax) stop(`printed more than ${outputBytesMax} bytes`);
    else wanted.push(bytes);
  };
  child.stdout.on("data", run.capture ? want : shown.reader());
  child.stderr.on("data", shown.reader());
  child.once("error", (error) => end(`cannot be started (${error.message})`));
  child.once("exit", (status, signal) => {
    exited = true;
    after(drainMs, () => closeAll(child.stdout, child.stderr));
    if (signal !== null) why ??= `ended by ${signal}`;
    void Promise.all([closed(child.stdout), closed(child.stderr)]).then(() =>
      end(status === 0 ? undefined : `ended with status ${status}`),
    );
  });
  after(run.timeoutMs, () => stop(`was not done after ${run.timeoutMs / 1000} s`));
  if (run.signal?.aborted) onAbort();
  run.signal?.addEventListener("abort", onAbort, { once: true });
  const how = await ended;
  run.signal?.removeEventListener("abort", onAbort);
  for (const timer of timers) clearTimeout(timer);
  closeAll(child.stdout, child.stderr);
  const failed = why ?? how;
  if (why !== undefined || (failed !== undefined && run.capture)) await killMarked(run.mark);
  shown.end();
  const last = shown.last === "" ? "" : `: ${shown.last}`;
  return {
    failed: failed === undefined ? undefined : `${failed}${last}`,
    status: child.exitCode ?? undefined,
    stdout: Buffer.concat(wanted),
  };
}

function closed(stream: Readable): Promise<void> {
  if (stream.closed) return Promise.resolve();
  return new Promise((resolve) => stream.once("close", () => resolve()));
}

function closeAll(...streams: readonly Readable[]): void {
  for (const stream of streams) stream.destroy();
}

/** What a command prints, as lines of bounded length, up to a bounded sum. */
class ShownLines {
  readonly #line: (text: string) => void;
  readonly #rests = new Set<{ bytes: Buffer }>();
  #left = outputBytesMax;
  /** The last line that was not empty. */
  last = "";

  constructor(line: (text: string) => void) {
    this.#line = line;
  }

  /** Takes the pieces of one stream. */
  reader(): (piece: Buffer) => void {
    const rest = { bytes: Buffer.alloc(0) };
    this.#rests.add(rest);
    return (piece) => {
      let from = 0;
      for (let at = piece.indexOf(10); at >= 0; at = piece.indexOf(10, from)) {
        this.#show(Buffer.concat([rest.bytes, piece.subarray(from, at)]));
        rest.bytes = Buffer.alloc(0);
        from = at + 1;
      }
      const room = lineBytesMax - rest.bytes.length;
      rest.bytes = Buffer.concat([rest.bytes, piece.subarray(from, from + room)]);
    };
  }

  /** What came without an end of line. */
  end(): void {
    for (const { bytes } of this.#rests) this.#show(bytes);
    this.#rests.clear();
  }

  #show(bytes: Buffer): void {
    // Without what a terminal would obey.
    const text = bytes
      .subarray(0, lineBytesMax)
      .toString("utf8")
      .replaceAll(/\p{Cc}+/gu, " ")
      .trim();
    if (text === "") return;
    this.last = text;
    if (this.#left <= 0) return;
    this.#left -= bytes.length;
    this.#line(this.#left > 0 ? text : `${text} (what follows is not shown)`);
  }
}
