// One vault in one replica: when it runs, and what becomes of it after that.
//
// Invariants
// - One run at a time. What is asked for while one runs joins it; a commit during a run makes another one follow.
// - A run that sends packs ahead of snapshots lists what is there as soon as somebody asks for that.
// - A job that has nothing to do asks nothing of its replica.
// - fenced and stopped outlive a restart; only `runNow` gets a job out of them.

import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import { Ahead } from "./ahead.ts";
import type { JobState as JobMemory } from "./jobState.ts";
import type { JobFailure, JobProgress, JobState, RunReport } from "./replicationStatus.ts";
import { pauseAfter, type RetryPauses, stateAfter } from "./retryPauses.ts";
import { noUsage } from "./storeUsage.ts";

/** What a run is told, and tells. */
export type RunOptions = {
  readonly takeOver: boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: JobProgress) => void;
  /** Given to a run that is to send packs before it has anything to list. */
  readonly ahead?: Ahead;
};

export type JobPort = {
  readonly memory: () => Promise<JobMemory>;
  /** Whether there is anything to replicate; asks nothing of the replica. */
  readonly pending: () => Promise<boolean>;
  /** Whether there are closed packs that were not sent. */
  readonly packsWait: () => Promise<boolean>;
  /** Replicates; failures are thrown. Called for one run at a time. */
  readonly replicate: (options: RunOptions) => Promise<Omit<RunReport, "outcome" | "failure">>;
  readonly report: (level: "info" | "warn" | "error", event: string, facts: Record<string, unknown>) => void;
  /** The job runs no more. */
  readonly ended: () => Promise<void>;
  readonly now: () => Date;
  readonly pauses: RetryPauses;
  /** See Ahead. */
  readonly lingerMs: number;
  /** Whether failures are tried again by themselves: not in a process that ends after its command. */
  readonly background: () => boolean;
};

type Running = {
  readonly stop: AbortController;
  readonly takeOver: boolean;
  readonly ahead: Ahead | undefined;
  readonly ended: Promise<RunReport>;
  progress: JobProgress | null;
  readonly watchers: Set<(progress: JobProgress) => void>;
};

export class Job {
  readonly vault: string;
  readonly #port: JobPort;
  #running: Running | undefined;
  #again = false;
  /** A pack was closed while a run was past its packs. */
  #packs = false;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #nextTry: Date | undefined;
  #closed = false;

  constructor(vault: string, port: JobPort) {
    this.vault = vault;
    this.#port = port;
  }

  get progress(): JobProgress | null {
    return this.#running?.progress ?? null;
  }

  get nextTry(): Date | undefined {
    return this.#nextTry;
  }

  /** `failed`: the state that was noted after the last run. */
  state(failed: JobState | undefined): JobState {
    if (this.#running !== undefined) return "running";
    // A failure that was waited for when the process ended is tried again by the next one.
    if (failed === "waiting" && this.#timer === undefined) return "idle";
    return failed ?? "idle";
  }

  /** Something may have to be replicated. `scheduled`: its time came, so that a pause or a refusal is no reason to wait any longer. */
  async wake(scheduled = false): Promise<void> {
    if (this.#closed) return;
    if (this.#listsNow()) {
      this.#again = true;
      return;
    }
    if (!(await this.#mayBegin(scheduled)) || !(await this.#port.pending())) return;
    // One that began meanwhile takes what was there when it did; one that sends ahead is told.
    if (!this.#closed && !this.#listsNow()) this.#begin(false);
  }

  /** Whether a run is under way; one that sends ahead lists what there is from now on. */
  #listsNow(): boolean {
    this.#running?.ahead?.list();
    return this.#running !== undefined;
  }

  /** A pack was closed that may go ahead of the snapshots that will need it. */
  async packClosed(): Promise<void> {
    if (this.#closed) return;
    if (this.#running !== undefined) {
      this.#packs = true;
      this.#running.ahead?.packClosed();
      return;
    }
    if (!(await this.#mayBegin(false)) || !(await this.#port.packsWait())) return;
    if (this.#running === undefined && !this.#closed) this.#begin(false, new Ahead(this.#port.lingerMs));
  }

  /** Whether nothing that happened before forbids it. */
  async #mayBegin(scheduled: boolean): Promise<boolean> {
    const failed = (await this.#port.memory()).row.failure?.state;
    if (this.#timer !== undefined && failed === "waiting" && !scheduled) return false;
    return failed !== "fenced" && (failed !== "stopped" || scheduled);
  }

  /**
   * Runs now. A run that is under way is joined; when something is left behind it (it began before the newest snapshot, or without the take-over), another
   * one follows. The signal stops a run that this call began.
   * @throws HoldfastError cancelled
   */
  async runNow(options: RunOptions): Promise<RunReport> {
    const joined = this.#running;
    if (joined !== undefined) {
      joined.ahead?.list();
      const report = await watched(joined, options);
      const enough = joined.takeOver || !options.takeOver;
      if (enough && (report.outcome === "failed" || !(await this.#port.pending()))) return report;
    }
    if (this.#closed || options.signal.aborted) throw stopped();
    if (this.#running !== undefined) {
      this.#running.ahead?.list();
      return watched(this.#running, options);
    }
    const mine = this.#begin(options.takeOver);
    const stop = (): void => mine.stop.abort();
    options.signal.addEventListener("abort", stop, { once: true });
    try {
      return await watched(mine, options);
    } finally {
      options.signal.removeEventListener("abort", stop);
    }
  }

  #begin(takeOver: boolean, ahead?: Ahead): Running {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#nextTry = undefined;
    this.#again = false;
    this.#packs = false;
    const stop = new AbortController();
    const running: Running = {
      stop,
      takeOver,
      ahead,
      progress: null,
      watchers: new Set(),
      ended: Promise.resolve().then(() => this.#run(running)),
    };
    this.#running = running;
    return running;
  }

  async #run(running: Running): Promise<RunReport> {
    const { replicate, now, memory } = this.#port;
    const begun = now().getTime();
    const onProgress = (progress: JobProgress): void => {
      running.progress = progress;
      for (const watcher of running.watchers) watcher(progress);
    };
    let report: RunReport;
    let waits = false;
    try {
      const { takeOver, ahead, stop } = running;
      const { signal } = stop;
      const done = await replicate({ takeOver, signal, onProgress, ...(ahead && { ahead }) });
      report = { ...done, outcome: "done", failure: null };
      waits = done.unsent.some(({ code }) => isAway(code));
      if (!waits) this.#failures = 0;
      if ((await memory()).row.failure !== null) (await memory()).change({ failure: null });
    } catch (error) {
      report = await this.#failed(error, running.stop.signal, (now().getTime() - begun) / 1000);
    } finally {
      this.#running = undefined;
    }
    if (waits && this.#port.background() && !this.#closed) this.#waitAndTry();
    const more = this.#again || this.#packs;
    if (more && report.outcome === "done" && this.#port.background()) void this.#wakeAgain(this.#packs);
    return report;
  }

  async #wakeAgain(packs: boolean): Promise<void> {
    try {
      await this.wake();
      if (packs) await this.packClosed();
    } catch (error) {
      this.#port.report("error", "replication-not-started", { vault: this.vault, err: error });
    }
  }

  async #failed(thrown: unknown, signal: AbortSignal, seconds: number): Promise<RunReport> {
    const error = signal.aborted ? stopped() : asHoldfastError(thrown);
    const { code, message, next = null } = error;
    const failure: JobFailure = { code, message, next, at: this.#port.now().toISOString() };
    const state = stateAfter(error);
    if (code !== ErrorCode.cancelled) {
      this.#port.report(state === "waiting" ? "warn" : "error", "replication-failed", {
        vault: this.vault,
        code,
        message,
        state,
        ...(error.code === ErrorCode.internal && { err: thrown }),
      });
      await this.#note({ ...failure, state });
    }
    if (state === "waiting" && this.#port.background() && !this.#closed) this.#waitAndTry();
    const { generation, unsent } = await this.#port.memory().then(
      ({ row }) => row,
      () => ({ generation: 0, unsent: [] }),
    );
    const nothing = { packs: 0, bytes: 0, snapshots: 0, generation, unsent, usage: noUsage };
    return { vault: this.vault, outcome: "failed", failure, ...nothing, seconds };
  }

  /** A vault that cannot be opened, or a full disk, leaves the failure in the log alone. */
  async #note(failure: JobFailure & { state: JobState }): Promise<void> {
    try {
      (await this.#port.memory()).change({ failure });
    } catch (error) {
      this.#port.report("error", "replication-state-not-kept", { vault: this.vault, err: error });
    }
  }

  #waitAndTry(): void {
    const pause = pauseAfter(++this.#failures, this.#port.pauses);
    this.#nextTry = new Date(this.#port.now().getTime() + pause);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#nextTry = undefined;
      if (!this.#closed && this.#running === undefined) this.#begin(false);
    }, pause).unref();
  }

  /** Stops what runs, and runs no more. Resolves when nothing of it is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#running?.stop.abort();
    await this.#running?.ended;
    await this.#port.ended();
  }
}

/** Whether a pack could not be sent only because the other replica, that it is to be read from, is away. */
function isAway(code: ErrorCode): boolean {
  return code === ErrorCode.replicaUnreachable || code === ErrorCode.replicaRefused;
}

/** The end of a run, and its progress until then. */
async function watched(running: Running, { onProgress }: RunOptions): Promise<RunReport> {
  running.watchers.add(onProgress);
  try {
    return await running.ended;
  } finally {
    running.watchers.delete(onProgress);
  }
}

function stopped(): HoldfastError {
  return new HoldfastError(ErrorCode.cancelled, "stopped", {
    next: "Run it again: it goes on where it stopped.",
  });
}

function asHoldfastError(error: unknown): HoldfastError {
  if (isHoldfastError(error)) return error;
  const words = error instanceof Error ? error.message : String(error);
  return new HoldfastError(ErrorCode.internal, `replication failed: ${words}`, { cause: error });
}
