// Where every long work of the gateway is registered: `run` is the one way, and the history tells of it (docs/concurrency.md, "Jobs and
// their history").
//
// Invariants
// - Work neither waits for its row nor fails with it: what cannot be written is told in the log.
// - A job that was begun is ended once. `interrupt` is called before any begins.
// - Being asked to stop is noted in the row before the work hears of it.

import { AsyncLocalStorage } from "node:async_hooks";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import type { JobWatch } from "../admin/job.ts";
import type { Gateway } from "../gateway.ts";
import { BackupJobs } from "./backupJobs.ts";
import { type JobLine, JobLog, lineText } from "./jobLog.ts";
import { type JobResult, type JobRow, JobRows } from "./jobRows.ts";
import { LiveJob } from "./liveJob.ts";
import type { JobProgressAnswer, ShownProgress } from "./shownProgress.ts";

/** What a job is called. */
export type JobName = Pick<JobRow, "kind" | "subject"> & Pick<Partial<JobRow>, "session">;

/** What came of work that reached its end. */
export type JobOutcome = {
  readonly figures: JobRow["figures"];
  /** Done, but somebody should look at it. */
  readonly warnings?: boolean;
};

/** Who watches, besides the history. */
export type GivenWatch<Progress> = {
  /** What stops it, besides `cancel`. Undefined: the work heeds no signal, so that it cannot be asked to stop. */
  readonly signal: AbortSignal | undefined;
  readonly onProgress?: (progress: Progress) => void;
  /** What the history shows of a progress. */
  readonly shown?: (progress: Progress) => ShownProgress;
};

export type JobFilter = {
  readonly kind?: JobRow["kind"] | undefined;
  /** Only what failed or was interrupted. */
  readonly failed: boolean;
  /** Only what runs now. */
  readonly running?: boolean | undefined;
  /** Milliseconds since 1970: only what began then or later. */
  readonly sinceMs?: number | undefined;
  readonly limit: number;
};

type JobsGateway = Pick<Gateway, "catalog" | "dataDir" | "logger" | "monotonicMs" | "now" | "vault">;

export class Jobs {
  /** Upload sessions. */
  readonly backups: BackupJobs;
  readonly #gateway: JobsGateway;
  readonly #rows: JobRows;
  /** Jobs that run here; some of their rows may not be on the disk. */
  readonly #running = new Map<number, LiveJob>();
  readonly #listeners = new Set<(row: JobRow) => void>();
  /** The job in whose work we are. */
  readonly #at = new AsyncLocalStorage<LiveJob>();
  #newest = 0;

  /** The gateway has its catalog and clock already. */
  constructor(gateway: JobsGateway) {
    this.#gateway = gateway;
    this.#rows = new JobRows(gateway.catalog.environment);
    this.backups = new BackupJobs(this, () => gateway.now().getTime());
  }

  /** Calls jobs interrupted that were running when the process before this one ended. */
  interrupt(): void {
    const interrupted = this.#rows.open().map((row) => ({ ...row, result: "interrupted" as const }));
    for (const row of interrupted) this.#put(row);
    this.backups.takeUp(interrupted);
  }

  /**
   * Runs work as a job. `given.signal`, and `cancel`, stop it through the watch that the work is given; a failure behind that counts as stopped.
   * @throws what the work throws; HoldfastError cancelled
   */
  async run<Progress, Result>(
    name: JobName,
    given: GivenWatch<Progress>,
    work: (watch: JobWatch<Progress>) => Promise<Result>,
    outcome: (result: Result) => JobOutcome,
  ): Promise<Result> {
    const asked = new AbortController();
    const stop = (): void => asked.abort(stoppedByAdministrator());
    const job = this.#begin(name, given.signal === undefined ? undefined : stop);
    const signal = AbortSignal.any([asked.signal, ...(given.signal === undefined ? [] : [given.signal])]);
    const onProgress = (progress: Progress): void => {
      if (given.shown !== undefined) job.progress.show(given.shown(progress));
      given.onProgress?.(progress);
    };
    const { id } = job.row;
    try {
      const result = await this.#at.run(job, () => work({ signal, onProgress }));
      const { figures, warnings = false } = outcome(result);
      this.end(id, warnings ? "warnings" : "done", { figures });
      return result;
    } catch (error) {
      const stopped = signal.aborted || isHoldfastError(error, ErrorCode.cancelled);
      this.end(id, stopped ? "stopped" : "failed", { failure: stopped ? null : failureOf(error) });
      // Timers and streams have an error of their own for a signal.
      throw asked.signal.aborted && !isHoldfastError(error) ? asked.signal.reason : error;
    }
  }

  /** Notes that a job begins. For work that is no call: `run` is for all other. `stop`: how it is asked to. */
  begin(name: JobName, stop?: () => void): number {
    return this.#begin(name, stop).row.id;
  }

  #begin(name: JobName, stop: (() => void) | undefined): LiveJob {
    this.#newest = Math.max(this.#newest + 1, this.#rows.nextId());
    const row: JobRow = {
      id: this.#newest,
      ...name,
      started: this.#gateway.now().toISOString(),
      ended: null,
      result: "running",
      failure: null,
      figures: {},
    };
    return this.#live(row, stop);
  }

  #live(row: JobRow, stop: (() => void) | undefined): LiveJob {
    const log = new JobLog(this.#rows.log(row));
    const job = new LiveJob(row, this.#gateway.monotonicMs, stop, log);
    this.#running.set(row.id, job);
    this.#put(row);
    return job;
  }

  /** A job that was called interrupted goes on. */
  resume(row: JobRow, stop?: () => void): void {
    this.#live({ ...row, ended: null, result: "running", failure: null }, stop);
  }

  /** Notes how a running job ended. `endedMs`: milliseconds since 1970, now unless given. */
  end(
    id: number,
    result: Exclude<JobResult, "running">,
    end: Partial<Pick<JobRow, "figures" | "failure">> & { readonly endedMs?: number },
  ): JobRow {
    const job = this.#running.get(id);
    if (job === undefined) throw new Error(`job ${id} does not run`);
    this.#running.delete(id);
    const { endedMs = this.#gateway.now().getTime(), ...rest } = end;
    const ended: JobRow = { ...job.row, ...rest, result, ended: new Date(endedMs).toISOString() };
    this.#put(ended, job.log.after(0));
    for (const listener of this.#listeners) listener(ended);
    return ended;
  }

  /** Brings the rows of upload sessions up to date with their leases. */
  review(): Promise<void> {
    const { catalog } = this.#gateway;
    return this.backups.review(async (id, session) => {
      if (catalog.vaults.get(id) === undefined) return undefined;
      return (await this.#gateway.vault(id)).catalog.leases.session(session);
    });
  }

  #put(row: JobRow, lines: readonly JobLine[] = []): void {
    const { dataDir, logger, now } = this.#gateway;
    const { jobsKept, jobsDays } = dataDir.settings;
    try {
      this.#rows.put(row, { keptMax: jobsKept, days: jobsDays }, now(), lines);
    } catch (error) {
      const { id, kind, result } = row;
      logger.warn({ job: id, kind, result, err: error }, "job-not-noted");
    }
  }

  /** A line of the gateway's logger: it is the log of the job in whose work it was said. */
  heard(level: JobLine["level"], args: readonly unknown[]): void {
    const job = this.#at.getStore();
    if (job !== undefined) this.#say(job, level, lineText(args));
  }

  /** A line for the log of a job; nothing where it does not run. */
  say(id: number, level: JobLine["level"], text: string): void {
    const job = this.#running.get(id);
    if (job !== undefined) this.#say(job, level, text);
  }

  #say(job: LiveJob, level: JobLine["level"], text: string): void {
    job.log.add(this.#gateway.now().toISOString(), level, text);
  }

  /** How far a job is that is no call. */
  show(id: number, progress: ShownProgress): void {
    this.#running.get(id)?.progress.show(progress);
  }

  /** How far a job is; null where it shows nothing. */
  progress(id: number): JobProgressAnswer | null {
    return this.#running.get(id)?.progress.answer() ?? null;
  }

  /** The lines of a job's log behind a number. */
  log(row: JobRow, after: number): readonly JobLine[] {
    const live = this.#running.get(row.id);
    if (live !== undefined) return live.log.after(after);
    return this.#rows.log(row).filter(({ number }) => number > after);
  }

  /**
   * Asks a job to stop. Answers whether it runs; it may run on for a while, and end otherwise where it was past stopping.
   * @throws HoldfastError forbidden where it cannot be stopped
   */
  cancel(id: number): boolean {
    const job = this.#running.get(id);
    if (job === undefined) return false;
    if (job.stop === undefined) {
      throw new HoldfastError(ErrorCode.forbidden, `a ${job.row.kind} cannot be stopped`, {
        next: "It is over soon.",
      });
    }
    if (job.row.stopAsked === undefined) {
      job.row = { ...job.row, stopAsked: this.#gateway.now().toISOString() };
      this.#put(job.row);
      this.#say(job, "info", "asked to stop");
    }
    job.stop();
    return true;
  }

  /** Told of each job that ends; returns what stops that. */
  onEnded(listener: (row: JobRow) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Rows of jobs that run now. */
  running(): JobRow[] {
    return [...this.#running.values()].map(({ row }) => row);
  }

  get(id: number): JobRow | undefined {
    return this.#running.get(id)?.row ?? this.#rows.get(id);
  }

  /** Rows that are asked for, the newest first. */
  list({ kind, failed, running = false, sinceMs = 0, limit }: JobFilter): JobRow[] {
    return this.#rows.newest(limit, kind, ({ result, started }) => {
      const fits = !failed || result === "failed" || result === "interrupted";
      return fits && (!running || result === "running") && Date.parse(started) >= sinceMs;
    });
  }
}

function stoppedByAdministrator(): HoldfastError {
  return new HoldfastError(ErrorCode.cancelled, "stopped by an administrator (holdfast job cancel)", {
    next: "Run it again to go on.",
  });
}

/** Why work ended, as its row says it. */
export function failureOf(error: unknown): NonNullable<JobRow["failure"]> {
  if (isHoldfastError(error)) return { code: error.code, message: error.message, next: error.next ?? null };
  return { code: ErrorCode.internal, message: String(error), next: null };
}
