// A command line that runs beside this process, in a process group of its own, and does not outlive it (docs/programs.md, Processes).
//
// Order: the command's shell starts and waits for a word; the watching shell starts and is told the group; then the word is said. So at
// every instant either the command has not begun, or somebody stops it when this process is gone.
//
// A command that is given input never sees its end before `endInput`: a half must not pass for the whole. So it is ended by SIGKILL, after a
// SIGSTOP to all of its group: of a pipeline, nobody sees another one's death as the end.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { ProgramEnd } from "../../vault/snapshot.ts";
import { signalGroup, withoutSecrets } from "../platform/commandGroups.ts";
import type { Pipe } from "../platform/pipe.ts";

/** Between SIGTERM and SIGKILL. */
const graceMs = 5000;
const lookMs = 50;
/** So long stderr is read after the end: a process that was left behind may hold it. */
const silentMsMax = 1000;

/** Runs the command line `$1` when it is told to; descriptor 3 is gone then. */
const whenTold = 'read -r word <&3 || exit 125; exec 3<&-; exec /bin/sh -c "$1"';
/**
 * Is told a group, and stops it when it hears no more: whoever told it is gone. Holds the command's input open by descriptor 3, where it
 * was given one, until it is told that all of it was written. A group that is over is left alone.
 */
const watching = `read -r group || exit 0
while read -r word; do
  case $word in
    whole) exec 3>&- ;;
    over) exit 0 ;;
  esac
done
if [ "$1" = input ]; then
  kill -s STOP -- "-$group"
  kill -s KILL -- "-$group"
  exit 0
fi
kill -s TERM -- "-$group"
for second in 1 2 3 4 5; do sleep 1; kill -s 0 -- "-$group" || exit 0; done
kill -s KILL -- "-$group"`;

export type ShellCommandOptions = {
  readonly command: string;
  /** Its input, whose ends stay the caller's to close; /dev/null without one. */
  readonly stdin?: Pipe;
  readonly stdout: number;
  readonly environment: NodeJS.ProcessEnv;
  /** Takes what it writes to stderr. */
  readonly onError: (bytes: Buffer) => void;
};

export class ShellCommand {
  /** How it ended. */
  readonly ended: Promise<ProgramEnd>;
  readonly #closed: Promise<void>;
  readonly #child: ChildProcess;
  readonly #watcher: ChildProcess;
  readonly #hasInput: boolean;
  #isLetGo = false;

  private constructor(child: ChildProcess, watcher: ChildProcess, hasInput: boolean) {
    this.#hasInput = hasInput;
    this.#child = child;
    this.#watcher = watcher;
    this.ended = new Promise((resolve) => child.once("exit", (exit, signal) => resolve({ exit, signal })));
    this.#closed = new Promise((resolve) => child.once("close", () => resolve()));
  }

  /** Resolves when it runs. @throws HoldfastError io-error where the system starts no process */
  static async start(options: ShellCommandOptions): Promise<ShellCommand> {
    const environment = withoutSecrets(options.environment);
    const child = spawn("/bin/sh", ["-c", whenTold, "sh", options.command], {
      stdio: [options.stdin?.read ?? "ignore", options.stdout, "pipe", "pipe"],
      detached: true,
      env: environment,
    });
    const { stdin } = options;
    const watcher = spawn("/bin/sh", ["-c", watching, "sh", stdin === undefined ? "output" : "input"], {
      stdio: ["pipe", "ignore", "ignore", ...(stdin === undefined ? [] : [stdin.write])],
      detached: true,
      env: environment,
    });
    const running = new ShellCommand(child, watcher, stdin !== undefined);
    (child.stderr as Readable).on("data", options.onError);
    const tell = child.stdio[3] as Writable;
    for (const stream of [tell, watcher.stdin as Writable]) stream.on("error", () => undefined);
    try {
      await Promise.all([once(child, "spawn"), once(watcher, "spawn")]);
    } catch (cause) {
      // Without the word it ends by itself.
      tell.destroy();
      watcher.stdin?.destroy();
      throw new HoldfastError(ErrorCode.ioError, `no process can be started: ${(cause as Error).message}`, {
        next: "Look at the limits of processes and memory.",
        cause,
      });
    }
    watcher.stdin?.write(`${child.pid}\n`);
    // Its other half would keep the command from counting as closed.
    tell.end("begin\n", () => tell.destroy());
    return running;
  }

  /** Ends all of its group, and resolves when the command is over. Where it is over already, ends what it left in the group, until it is let go. */
  async stop(): Promise<void> {
    if (this.#isLetGo) return;
    if (this.#hasInput) this.#signal("SIGSTOP");
    else {
      this.#signal("SIGTERM");
      for (let waitedMs = 0; waitedMs < graceMs && this.#signal(0); waitedMs += lookMs) await pause(lookMs);
    }
    this.#signal("SIGKILL");
    await this.ended;
  }

  /** All of its input was written: it sees the end as soon as the caller closes the pipe. */
  endInput(): void {
    this.#watcher.stdin?.write("whole\n");
  }

  /** To be called when it has ended: reads what is left of its stderr. Nobody watches it any more then; what it left behind runs on. */
  async letGo(): Promise<void> {
    this.#isLetGo = true;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, silentMsMax);
    });
    await Promise.race([this.#closed, late]);
    clearTimeout(timer);
    this.#watcher.stdin?.end("over\n");
    this.#child.stderr?.destroy();
  }

  /** False where the group has no process any more. */
  #signal(signal: NodeJS.Signals | 0): boolean {
    return signalGroup(this.#child.pid, signal);
  }
}

/** What is wrong with how a command ended, after "the command "; undefined where nothing is. */
export function wrongEnd({ exit, signal, stopped }: ProgramEnd): string | undefined {
  if (stopped !== undefined) return `was stopped (${stopped})`;
  if (signal !== null) return `was ended by ${signal}`;
  if (exit === 0) return undefined;
  const why = exit === 127 ? " (not found)" : exit === 126 ? " (cannot be run)" : "";
  return `ended with status ${exit}${why}`;
}

/** @param how what is wrong, after "the command " */
export function programFailed(how: string): HoldfastError {
  return new HoldfastError(ErrorCode.programFailed, `the command ${how}`, {
    next: "Run it by hand to see what ails it; docs/programs.md tells of limits.",
  });
}
