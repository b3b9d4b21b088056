// Jobs that run and ran as an administrator asks for them, and in the gateway's own process.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Gateway } from "../gateway.ts";
import type { JobLine } from "../jobs/jobLog.ts";
import type { JobRow } from "../jobs/jobRows.ts";
import type { JobFilter } from "../jobs/jobs.ts";
import type { JobProgressAnswer } from "../jobs/shownProgress.ts";

export type JobAnswer = Omit<JobRow, "session" | "stopAsked"> & {
  /** Until it ended, or until now; null where nobody saw its end. */
  readonly seconds: number | null;
  /** RFC 3339: since when it is asked to stop. */
  readonly stopAsked: string | null;
  /** Of a job that runs, once it shows anything. */
  readonly progress: JobProgressAnswer | null;
};

export type JobLogAnswer = { readonly job: JobAnswer; readonly lines: readonly JobLine[] };

/** `asked`: it runs, and was asked to stop. */
export type JobCancelAnswer = { readonly job: JobAnswer; readonly asked: boolean };

export interface JobOperations {
  /** The newest first. */
  list(filter: JobFilter): Promise<JobAnswer[]>;
  /** @throws HoldfastError not-found */
  get(id: number): Promise<JobAnswer>;
  /** With the lines of its log behind a number, 0 for all that are kept. @throws HoldfastError not-found */
  log(id: number, after: number): Promise<JobLogAnswer>;
  /**
   * Asks a job to stop: work of the gateway at once, a backup when its agent asks for something next. What was done counts, and the next run goes on.
   * @throws HoldfastError not-found; forbidden where it cannot be stopped
   */
  cancel(id: number): Promise<JobCancelAnswer>;
}

export class JobAdministration implements JobOperations {
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  async list(filter: JobFilter): Promise<JobAnswer[]> {
    await this.#gateway.jobs.review();
    return this.#gateway.jobs.list(filter).map((row) => this.#answer(row));
  }

  async get(id: number): Promise<JobAnswer> {
    return this.#answer(await this.#row(id));
  }

  async log(id: number, after: number): Promise<JobLogAnswer> {
    const row = await this.#row(id);
    return { job: this.#answer(row), lines: this.#gateway.jobs.log(row, after) };
  }

  async cancel(id: number): Promise<JobCancelAnswer> {
    await this.#row(id);
    const asked = this.#gateway.jobs.cancel(id);
    return { asked, job: this.#answer(await this.#row(id)) };
  }

  async #row(id: number): Promise<JobRow> {
    await this.#gateway.jobs.review();
    const row = this.#gateway.jobs.get(id);
    if (row !== undefined) return row;
    throw new HoldfastError(ErrorCode.notFound, `there is no job ${id}`, {
      next: "`holdfast job list` lists those that there are; old ones go (jobs-kept and jobs-days in config.toml).",
    });
  }

  #answer({ session: _session, stopAsked, ...row }: JobRow): JobAnswer {
    const endMs = row.result === "running" ? this.#gateway.now().getTime() : Date.parse(row.ended ?? "");
    const seconds = Math.max(0, (endMs - Date.parse(row.started)) / 1000);
    const progress = this.#gateway.jobs.progress(row.id);
    return {
      ...row,
      seconds: Number.isNaN(seconds) ? null : seconds,
      stopAsked: stopAsked ?? null,
      progress,
    };
  }
}
