// Where every long work of the gateway is registered: `run` is the one way, and the history tells of it (docs/concurrency.md, "Jobs and
// their history").
//
// Invariants
// - Work neither waits for its row nor fails with it: what cannot be written is told in the log.
// - A job that was begun is ended once. `interrupt` is called before any begins.

import { ErrorCode, isHoldfastError } from "../../vault/errors.ts";
import type { Gateway } from "../gateway.ts";
import { BackupJobs } from "./backupJobs.ts";
import { type JobResult, type JobRow, JobRows } from "./jobRows.ts";

/** What a job is called. */
export type JobName = Pick<JobRow, "kind" | "subject"> & Pick<Partial<JobRow>, "session">;

/** What came of work that reached its end. */
export type JobOutcome = {
  readonly figures: JobRow["figures"];
  /** Done, but somebody should look at it. */
  readonly warnings?: boolean;
};

export type JobFilter = {
  readonly kind?: JobRow["kind"] | undefined;
  /** Only what failed or was interrupted. */
  readonly failed: boolean;
  /** Milliseconds since 1970: only what began then or later. */
  readonly sinceMs?: number | undefined;
  readonly limit: number;
};

type JobsGateway = Pick<Gateway, "catalog" | "dataDir" | "logger" | "now" | "vault">;

export class Jobs {
  /** Upload sessions. */
  readonly backups: BackupJobs;
  readonly #gateway: JobsGateway;
  readonly #rows: JobRows;
  /** Rows of jobs that run here; some of them may not be on the disk. */
  readonly #running = new Map<number, JobRow>();
  readonly #listeners = new Set<(row: JobRow) => void>();
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
   * Runs work as a job. `signal`: what stops it; a failure behind that counts as stopped.
   * @throws what the work throws
   */
  async run<Result>(
    name: JobName,
    signal: AbortSignal | undefined,
    work: () => Promise<Result>,
    outcome: (result: Result) => JobOutcome,
  ): Promise<Result> {
    const id = this.begin(name);
    try {
      const result = await work();
      const { figures, warnings = false } = outcome(result);
      this.end(id, warnings ? "warnings" : "done", { figures });
      return result;
    } catch (error) {
      const stopped = signal?.aborted === true || isHoldfastError(error, ErrorCode.cancelled);
      this.end(id, stopped ? "stopped" : "failed", { failure: stopped ? null : failureOf(error) });
      throw error;
    }
  }

  /** Notes that a job begins. For work that is no call: `run` is for all other. */
  begin(name: JobName): number {
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
    this.#running.set(row.id, row);
    this.#put(row);
    return row.id;
  }

  /** A job that was called interrupted goes on. */
  resume(row: JobRow): void {
    const running: JobRow = { ...row, ended: null, result: "running", failure: null };
    this.#running.set(row.id, running);
    this.#put(running);
  }

  /** Notes how a running job ended. `endedMs`: milliseconds since 1970, now unless given. */
  end(
    id: number,
    result: Exclude<JobResult, "running">,
    end: Partial<Pick<JobRow, "figures" | "failure">> & { readonly endedMs?: number },
  ): JobRow {
    const row = this.#running.get(id);
    if (row === undefined) throw new Error(`job ${id} does not run`);
    this.#running.delete(id);
    const { endedMs = this.#gateway.now().getTime(), ...rest } = end;
    const ended: JobRow = { ...row, ...rest, result, ended: new Date(endedMs).toISOString() };
    this.#put(ended);
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

  #put(row: JobRow): void {
    const { dataDir, logger, now } = this.#gateway;
    const { jobsKept, jobsDays } = dataDir.settings;
    try {
      this.#rows.put(row, { keptMax: jobsKept, days: jobsDays }, now());
    } catch (error) {
      const { id, kind, result } = row;
      logger.warn({ job: id, kind, result, err: error }, "job-not-noted");
    }
  }

  /** Told of each job that ends; returns what stops that. */
  onEnded(listener: (row: JobRow) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Rows of jobs that run now. */
  running(): JobRow[] {
    return [...this.#running.values()];
  }

  get(id: number): JobRow | undefined {
    return this.#running.get(id) ?? this.#rows.get(id);
  }

  /** Rows that are asked for, the newest first. */
  list({ kind, failed, sinceMs = 0, limit }: JobFilter): JobRow[] {
    return this.#rows.newest(limit, kind, ({ result, started }) => {
      const fits = !failed || result === "failed" || result === "interrupted";
      return fits && Date.parse(started) >= sinceMs;
    });
  }
}

/** Why work ended, as its row says it. */
export function failureOf(error: unknown): NonNullable<JobRow["failure"]> {
  if (isHoldfastError(error)) return { code: error.code, message: error.message, next: error.next ?? null };
  return { code: ErrorCode.internal, message: String(error), next: null };
}
