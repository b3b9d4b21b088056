// A backup with hooks around it, and the sweep of what a killed one left (docs/hooks.md has the order and the crash points).
//
// Invariants
// - Each step is in the journal before it begins.
// - Once `before` was begun, `afterSnapshot`, the removal of snapshots and `after` follow, whatever fails; none of them is stopped by the
//   signal, and a journal that cannot be written keeps none of them from running.

import { randomBytes } from "node:crypto";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import type { TakenSources } from "../backup/request.ts";
import { withoutSecrets } from "../platform/commandGroups.ts";
import { selectPlatform } from "../platform/select.ts";
import { displayPath } from "../platform/systemError.ts";
import { StandIns } from "../source/standIns.ts";
import type { TopPath } from "../source/topPaths.ts";
import { HookJournal, type OpenRun, type OpenSnapshot } from "./hookJournal.ts";
import { type HookCommand, type Hooks, type Stage, shellWords } from "./hooks.ts";
import { killMarked } from "./markedProcesses.ts";
import { type HookEnd, runHook } from "./runHook.ts";
import { checkSnapshots, makeSnapshot, removeSnapshot, type SnapshotPort } from "./sourceSnapshots.ts";
import { mountPoints, sourcesOf } from "./sources.ts";

export type HookPort = {
  readonly state: string;
  readonly device: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  readonly warn: (what: string) => void;
  /** A line that a command printed. */
  readonly line: (stage: Stage, text: string) => void;
  /** A folder that is read as it is, although its source has a snapshot. */
  readonly live: (path: Buffer) => void;
};

/** What `after` is told of a run that did its work. */
export type HookResult = Readonly<Record<`HOLDFAST_${string}`, string>>;

/** One variable longer than the system takes would keep a command from being started. */
const pathsBytesMax = 64 * 1024;

export class HookedRun {
  readonly #hooks: Hooks;
  readonly #port: HookPort;
  readonly #journal: HookJournal;
  readonly #item: string;
  readonly #platform = selectPlatform();
  readonly #variables: Record<string, string>;
  /** Snapshots of earlier runs, which the sweep could not remove. */
  readonly #leftOver: ReadonlySet<string>;
  #run: OpenRun;

  /** The state's lock is held. @throws HoldfastError io-error */
  constructor(hooks: Hooks, port: HookPort, item: string, paths: readonly string[]) {
    this.#hooks = hooks;
    this.#port = port;
    this.#item = item;
    this.#journal = new HookJournal(port.state);
    this.#leftOver = new Set(this.#journal.snapshots.map(({ name }) => name));
    const id = randomBytes(16).toString("hex");
    const { after = null, afterSnapshot = null } = hooks;
    this.#run = { id, item, after, afterSnapshot, running: null };
    const named = paths.join("\n");
    this.#variables = Buffer.byteLength(named) > pathsBytesMax ? {} : { HOLDFAST_PATHS: named };
  }

  /**
   * Runs everything. `resolve` gives the paths, after `before`; `resultOf` what `after` is told.
   * @throws HoldfastError hook-failed, and whatever keeps the backup from being done
   */
  async around<T>(
    resolve: () => readonly TopPath[],
    body: (paths: readonly TopPath[], taken: TakenSources | undefined) => Promise<T>,
    resultOf: (result: T) => HookResult,
  ): Promise<T> {
    this.#port.signal.throwIfAborted();
    this.#journal.setRun(this.#run);
    let result: HookResult = {};
    try {
      await this.#before();
      const paths = resolve();
      const taken = await this.#takeSources(paths).finally(() => this.#afterSnapshot({}));
      const done = await body(paths, taken);
      result = resultOf(done);
      return done;
    } catch (error) {
      result = failureResult(error);
      throw error;
    } finally {
      await this.#undo(result);
    }
  }

  /** Does what a killed run left to do. @throws HoldfastError io-error */
  static async sweep(port: HookPort): Promise<void> {
    const journal = new HookJournal(port.state);
    const { run, snapshots, wasDamaged } = journal;
    if (wasDamaged) {
      port.warn(
        "hooks.json is damaged: a run that was killed may have left a snapshot, by a name holdfast-...",
      );
      journal.setRun(undefined);
    }
    if (run === undefined && snapshots.length === 0) return;
    const none: Hooks = {
      before: undefined,
      afterSnapshot: undefined,
      after: undefined,
      snapshot: undefined,
    };
    const swept = new HookedRun(none, port, run?.item ?? "", []);
    if (run?.running != null) await killMarked(run.running);
    if (run !== undefined) swept.#run = run;
    await swept.#removeSnapshots(snapshots);
    await swept.#undo({ HOLDFAST_RESULT: "interrupted" });
  }

  async #undo(result: HookResult): Promise<void> {
    await this.#afterSnapshot(result);
    await this.#removeSnapshots(this.#ownSnapshots());
    const { after } = this.#run;
    if (after !== null) await this.#late("after", after, result);
    await this.#kept(() => this.#journal.setRun(undefined));
  }

  #ownSnapshots(): readonly OpenSnapshot[] {
    return this.#journal.snapshots.filter(({ name }) => !this.#leftOver.has(name));
  }

  async #removeSnapshots(snapshots: readonly OpenSnapshot[]): Promise<void> {
    for (const open of snapshots) {
      const failed = await this.#kept(() => removeSnapshot(this.#snapshots, open));
      if (failed !== undefined) this.#port.warn(failed);
    }
  }

  async #before(): Promise<void> {
    const { before } = this.#hooks;
    if (before === undefined) return;
    const { failed } = await this.#command("before", before, {}, this.#port.signal);
    this.#port.signal.throwIfAborted();
    if (failed === undefined) return;
    throw new HoldfastError(ErrorCode.hookFailed, `the command before the backup ${failed}`, {
      next: "Nothing was backed up. See docs/hooks.md.",
      detail: { stage: "before" },
    });
  }

  /** Once: of those that must run, it is the one that comes early. */
  async #afterSnapshot(result: HookResult): Promise<void> {
    const { afterSnapshot } = this.#run;
    if (afterSnapshot === null) return;
    await this.#late("after-snapshot", afterSnapshot, result);
    this.#run = { ...this.#run, afterSnapshot: null };
    await this.#kept(() => this.#journal.setRun(this.#run));
  }

  /** One of those that always run, and whose failure is a warning. */
  async #late(stage: Stage, command: HookCommand, result: HookResult): Promise<void> {
    const { failed } = await this.#command(stage, command, result, undefined);
    if (failed !== undefined)
      this.#port.warn(
        `the command ${stage === "after" ? "after the backup" : "after the snapshots"} ${failed}`,
      );
  }

  async #takeSources(paths: readonly TopPath[]): Promise<TakenSources | undefined> {
    const { snapshot } = this.#hooks;
    if (snapshot === undefined) return undefined;
    const timeMs = this.#port.nowMs();
    const mounted = mountPoints();
    const sources = sourcesOf(
      this.#platform,
      paths.map(({ path }) => path),
      mounted,
    );
    const taken = [];
    for (const source of sources) taken.push(await makeSnapshot(this.#snapshots, source, snapshot));
    return {
      standIns: new StandIns(taken, mounted, this.#port.live),
      timeMs,
      stillWhole: () => checkSnapshots(this.#snapshots, this.#ownSnapshots()),
    };
  }

  get #snapshots(): SnapshotPort {
    return {
      state: this.#port.state,
      journal: this.#journal,
      platform: this.#platform,
      run: async (stage, words, variables, timeoutMs) => {
        const signal = stage === "remove" ? undefined : this.#port.signal;
        const end = await this.#start(stage, words, variables, timeoutMs, signal);
        signal?.throwIfAborted();
        return end;
      },
    };
  }

  #command(
    stage: Stage,
    { text, timeoutMs }: HookCommand,
    result: HookResult,
    signal: AbortSignal | undefined,
  ): Promise<HookEnd> {
    return this.#start(stage, shellWords(text), result, timeoutMs, signal);
  }

  async #start(
    stage: Stage,
    words: readonly string[],
    variables: NodeJS.ProcessEnv,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<HookEnd> {
    const { environment, state, device, line } = this.#port;
    const mark = randomBytes(16).toString("hex");
    const note = (running: string | null): void => {
      this.#run = { ...this.#run, running };
      this.#journal.setRun(this.#run);
    };
    // What must not be begun without its note is what a signal can stop.
    if (signal === undefined) await this.#kept(() => note(mark));
    else note(mark);
    const end = await runHook({
      words,
      mark,
      environment: {
        ...withoutSecrets(environment),
        ...this.#variables,
        ...variables,
        HOLDFAST_STAGE: stage,
        HOLDFAST_ITEM: this.#item,
        HOLDFAST_DEVICE: device,
        HOLDFAST_STATE: state,
        HOLDFAST_RUN: this.#run.id,
        HOLDFAST_PID: String(process.pid),
      },
      timeoutMs,
      signal,
      capture: stage === "create",
      line: (text) => line(stage, text),
    });
    await this.#kept(() => note(null));
    return end;
  }

  /** What must go on where the state directory cannot be written. */
  async #kept<T>(write: () => T | Promise<T>): Promise<T | undefined> {
    try {
      return await write();
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      this.#port.warn(error.message);
      return undefined;
    }
  }
}

function failureResult(error: unknown): HookResult {
  const { code, message } = isHoldfastError(error)
    ? error
    : { code: ErrorCode.internal, message: error instanceof Error ? error.message : String(error) };
  return {
    HOLDFAST_RESULT: code === ErrorCode.cancelled ? "cancelled" : "failed",
    HOLDFAST_ERROR_CODE: code,
    HOLDFAST_ERROR: displayPath(Buffer.from(message)).slice(0, 4096),
  };
}
