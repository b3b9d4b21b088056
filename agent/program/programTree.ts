// The output of a program as the only file of a snapshot (docs/programs.md).
//
// Invariants: the command is over before the tree is made, and before `stop` resolves; what it wrote after a limit is not read; the pipe is
// closed after the worker that reads it is done with it.

import { closeSync } from "node:fs";
import type { ProgramEnd } from "../../vault/snapshot.ts";
import { DirectoryWriter, type EmitPage, type WrittenDirectory } from "../../vault/tree/directoryWriter.ts";
import { type EntryDraft, EntryKind, type Timestamp } from "../../vault/tree/entry.ts";
import type { Failure } from "../backup/failure.ts";
import type { Place, StreamOutcome } from "../backup/messages.ts";
import { StreamState } from "../backup/streamState.ts";
import type { WorkerPool } from "../backup/workerPool.ts";
import { makePipe, wakeReader } from "../platform/pipe.ts";
import type { Platform } from "../platform/port.ts";
import { displayPath } from "../platform/systemError.ts";
import { contentParts } from "../source/contentParts.ts";
import { countFile, type WalkCounts } from "../source/walk.ts";
import { ErrorText } from "./errorText.ts";
import { Overtime, type ProgramLimits, Stop, stopText } from "./overtime.ts";
import { programFailed, ShellCommand, wrongEnd } from "./shellCommand.ts";

const lookMs = 100;
/** So long an output may stay open, silently, after its command ended. */
const openMsMax = 30_000;

export type ProgramRequest = {
  readonly command: string;
  /** The file's name: a legal name of an entry. */
  readonly name: Buffer;
  readonly limits: ProgramLimits;
  readonly bytesMax: number | undefined;
  /** Makes a tree also of what a program wrote that failed. */
  readonly keepFailed: boolean;
  readonly environment: NodeJS.ProcessEnv;
};

export type ProgramTreeOptions = {
  readonly request: ProgramRequest;
  readonly pool: WorkerPool;
  readonly platform: Platform;
  readonly splitTable: Uint32Array;
  /** Takes over a chunk whose plaintext is at `place`. */
  readonly offer: (id: Buffer, place: Place) => void;
  readonly emitExtents: EmitPage;
  readonly emitDirectory: EmitPage;
  /** Whether the item's last snapshot has a file. */
  readonly wasThere: boolean;
  readonly warn: (what: string) => void;
  readonly failure: Failure;
  readonly nowMs: () => number;
  /** A clock that never goes back. */
  readonly steadyMs: () => number;
};

export class ProgramTree {
  readonly counts: WalkCounts = {
    files: 0,
    dirs: 0,
    others: 0,
    bytes: 0,
    filesRead: 0,
    bytesRead: 0,
    changed: 0,
    added: 0,
    renamed: 0,
    renumbered: 0,
  };
  /** How the program ended, once it has. */
  end: ProgramEnd | undefined;
  /** What is wrong with that, after "the command ". */
  failed: string | undefined;
  readonly #options: ProgramTreeOptions;
  readonly #state = new StreamState();
  #fd: number | undefined;
  #command: ShellCommand | undefined;
  #reading = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ProgramTreeOptions) {
    this.#options = options;
  }

  /**
   * Runs the program to its end. Resolves with the root directory's page when all of the output has its chunk ids.
   * @throws HoldfastError program-failed, unless such output is to be kept; io-error; and what the run failed with
   */
  async make(): Promise<WrittenDirectory> {
    const { request, pool, offer, emitExtents, emitDirectory, failure, nowMs, warn } = this.#options;
    const startedMs = nowMs();
    const text = new ErrorText((line) => warn(`the command says: ${displayPath(line)}`));
    const command = await this.#start((bytes) => text.take(bytes));
    const { parts, finish } = contentParts(offer, emitExtents);
    this.#reading = true;
    const stream = { fd: this.#fd as number, name: request.name, bytesMax: request.bytesMax };
    const reading = pool.readStream({ ...stream, state: this.#state.shared }, parts).finally(() => {
      this.#reading = false;
    });
    const outcome = await failure.guard(this.#toItsEnd(command, reading));
    await failure.guard(command.letGo());
    text.end();
    if (this.failed !== undefined && !request.keepFailed) throw programFailed(this.failed);
    if (outcome.size === 0) warn("the command wrote nothing");
    this.counts.bytes = 0;
    countFile(this.counts, outcome.size, this.#options.wasThere);
    this.counts.changed = this.#options.wasThere ? 1 : 0;
    this.counts.filesRead = 1;
    const writer = new DirectoryWriter(this.#options.splitTable, emitDirectory);
    writer.add(this.#entry(outcome, outcome.size === 0 ? undefined : finish(), startedMs));
    return writer.finish();
  }

  /** Ends the program where it still runs, and the wait for its output. Before the workers end. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#command?.stop();
    await this.#command?.letGo();
    this.#giveUp();
  }

  /** The workers must have ended. */
  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  async #start(onError: (bytes: Buffer) => void): Promise<ShellCommand> {
    const { command, environment } = this.#options.request;
    const { read, write } = makePipe();
    this.#fd = read;
    try {
      this.#command = await ShellCommand.start({ command, stdout: write, environment, onError });
    } finally {
      closeSync(write);
    }
    return this.#command;
  }

  /** Watches the program and its output; both are at their end when it resolves. */
  async #toItsEnd(command: ShellCommand, reading: Promise<StreamOutcome>): Promise<StreamOutcome> {
    const { limits } = this.#options.request;
    const overtime = new Overtime(limits, this.#options.steadyMs);
    let left: Overtime | undefined;
    let stopped: Stop | undefined;
    const stop = (why: Stop): void => {
      if (stopped !== undefined) return;
      stopped = why;
      command
        .stop()
        .then(() => this.#giveUp())
        .catch((error) => this.#options.failure.fail(error));
    };
    void command.ended.then(() => {
      left = new Overtime({ timeoutMs: undefined, idleMs: openMsMax }, this.#options.steadyMs);
    });
    this.#timer = setInterval(() => {
      const { bytes } = this.#state;
      this.counts.bytes = bytes;
      this.counts.bytesRead = bytes;
      const waits = !this.#reading || this.#state.reading;
      const passed = overtime.passed(bytes, waits);
      if (passed !== undefined) stop(passed);
      else if (this.#reading && left?.passed(bytes, waits) !== undefined) stop(Stop.output);
    }, lookMs);
    try {
      const outcome = await reading;
      if (outcome.over) stop(Stop.bytes);
      const end = await command.ended;
      this.counts.bytesRead = outcome.size;
      this.end = { ...end, ...(stopped !== undefined && { stopped }) };
      this.failed = wrongEnd(end);
      if (stopped !== undefined) this.failed = stopText(stopped, limits);
      return outcome;
    } finally {
      clearInterval(this.#timer);
    }
  }

  /** Somebody who left the program's group may hold the other end of the pipe. */
  #giveUp(): void {
    this.#state.giveUp();
    if (this.#reading && this.#fd !== undefined) wakeReader(this.#fd);
  }

  #entry(
    { size, fileHash }: StreamOutcome,
    content: EntryDraft["content"] | undefined,
    startedMs: number,
  ): EntryDraft {
    const { request, platform, nowMs } = this.#options;
    const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
    const ended = timestampOf(nowMs());
    return {
      name: request.name,
      kind: EntryKind.file,
      mode: 0o600,
      ...{ uid, gid, userName: platform.userName(uid) ?? "", groupName: platform.groupName(gid) ?? "" },
      ...{ mtime: ended, ctime: ended, btime: timestampOf(startedMs) },
      ...{ device: 1n, inode: 1n, linkCount: 1 },
      xattrs: { form: "none" },
      size,
      ...(content !== undefined && { content, fileHash: Buffer.from(fileHash as Uint8Array) }),
    };
  }
}

/** What is left of a millisecond counts: the clock may be finer. */
function timestampOf(ms: number): Timestamp {
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanoseconds: Math.floor((ms - seconds * 1000) * 1_000_000) };
}
