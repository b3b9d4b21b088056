// The history of jobs as an administrator asks for it, and in the gateway's own process.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Gateway } from "../gateway.ts";
import type { JobRow } from "../jobs/jobRows.ts";
import type { JobFilter } from "../jobs/jobs.ts";

export type JobAnswer = Omit<JobRow, "session"> & {
  /** Until it ended, or until now; null where nobody saw its end. */
  readonly seconds: number | null;
};

export interface JobOperations {
  /** The newest first. */
  list(filter: JobFilter): Promise<JobAnswer[]>;
  /** @throws HoldfastError not-found */
  get(id: number): Promise<JobAnswer>;
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
    await this.#gateway.jobs.review();
    const row = this.#gateway.jobs.get(id);
    if (row !== undefined) return this.#answer(row);
    throw new HoldfastError(ErrorCode.notFound, `there is no job ${id}`, {
      next: "`holdfast gateway jobs` lists those that there are; old ones go (jobs-kept and jobs-days in config.toml).",
    });
  }

  #answer({ session: _session, ...row }: JobRow): JobAnswer {
    const endMs = row.result === "running" ? this.#gateway.now().getTime() : Date.parse(row.ended ?? "");
    const seconds = Math.max(0, (endMs - Date.parse(row.started)) / 1000);
    return { ...row, seconds: Number.isNaN(seconds) ? null : seconds };
  }
}
