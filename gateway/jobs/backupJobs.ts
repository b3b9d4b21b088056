// Upload sessions as jobs: from a session's start to its commit, or to what came in between.
//
// Invariants
// - The lease in the vault's catalog is the truth; a row follows it, at once where the gateway sees the end, else at the next `review`.
// - What is counted for each record is a number in memory. The catalog is written when a session begins and when it ends.
// - A session that says nothing for `silentMs` counts as interrupted, and runs again with its next request.

import { ErrorCode } from "../../vault/errors.ts";
import type { SessionState } from "../catalog/leaseRows.ts";
import type { JobRow } from "./jobRows.ts";
import { failureOf, type Jobs } from "./jobs.ts";

/** A machine that sleeps in the middle of its backup is silent for a night; a walk over unchanged files for minutes. */
const silentMs = 3_600_000;

type Followed = {
  row: JobRow;
  readonly session: NonNullable<JobRow["session"]>;
  runs: boolean;
  seenMs: number;
  records: number;
  bytes: number;
  /** Why its last request was refused. */
  failure: JobRow["failure"];
};

export class BackupJobs {
  readonly #jobs: Jobs;
  readonly #nowMs: () => number;
  /** By session. */
  readonly #followed = new Map<string, Followed>();
  #bytes = 0;
  #records = 0;

  constructor(jobs: Jobs, nowMs: () => number) {
    this.#jobs = jobs;
    this.#nowMs = nowMs;
  }

  /** Sessions whose jobs run. */
  get running(): number {
    let running = 0;
    for (const { runs } of this.#followed.values()) if (runs) running++;
    return running;
  }

  /** What came in since the gateway's start. */
  get received(): { readonly records: number; readonly bytes: number } {
    return { records: this.#records, bytes: this.#bytes };
  }

  /** Takes up rows that the process before this one left: their sessions may go on. */
  takeUp(interrupted: readonly JobRow[]): void {
    for (const row of interrupted) {
      if (row.session === undefined) continue;
      this.#followed.set(row.session.id, this.#follow(row, row.session, false));
    }
  }

  #follow(row: JobRow, session: NonNullable<JobRow["session"]>, runs: boolean): Followed {
    return { row, session, runs, seenMs: this.#nowMs(), records: 0, bytes: 0, failure: null };
  }

  /** A session began. `subject`: names of account, device and item. */
  started(session: NonNullable<JobRow["session"]>, subject: string): void {
    for (const other of [...this.#followed.values()]) {
      if (other.session.item !== session.item) continue;
      this.#end(other, "interrupted", {
        code: ErrorCode.sessionEnded,
        message: "the agent began a new session of the item",
        next: null,
      });
    }
    const id = this.#jobs.begin({ kind: "backup", subject, session });
    this.#followed.set(session.id, this.#follow(this.#jobs.get(id) as JobRow, session, true));
  }

  /** A running session asked for something. */
  seen(session: string): void {
    const followed = this.#followed.get(session);
    if (followed === undefined) return;
    followed.seenMs = this.#nowMs();
    if (followed.runs) return;
    followed.runs = true;
    this.#jobs.resume(followed.row);
  }

  /** Records of a session came in, stored or not. */
  took(session: string, records: readonly Uint8Array[]): void {
    let bytes = 0;
    for (const record of records) bytes += record.length;
    this.#records += records.length;
    this.#bytes += bytes;
    const followed = this.#followed.get(session);
    if (followed === undefined) return;
    followed.records += records.length;
    followed.bytes += bytes;
  }

  /** A request of a session was refused: why its backup failed, if nothing better comes. */
  refused(session: string, error: unknown): void {
    const followed = this.#followed.get(session);
    if (followed !== undefined) followed.failure = failureOf(error);
  }

  /** The session's snapshot is there. */
  committed(session: string, incomplete: boolean): void {
    const followed = this.#followed.get(session);
    if (followed !== undefined) this.#end(followed, incomplete ? "warnings" : "done", null);
  }

  /** The session's agent ended it without a snapshot. */
  ended(session: string): void {
    const followed = this.#followed.get(session);
    if (followed === undefined) return;
    this.#end(followed, followed.failure === null ? "stopped" : "failed", followed.failure);
  }

  #end(
    followed: Followed,
    result: "done" | "warnings" | "failed" | "stopped" | "interrupted",
    failure: JobRow["failure"],
    endedMs?: number,
  ): void {
    const { row, session, records, bytes } = followed;
    this.#followed.delete(session.id);
    if (!followed.runs) {
      // Called interrupted before; only a better end is worth a row.
      if (result === "interrupted") return;
      this.#jobs.resume(row);
    }
    this.#jobs.end(row.id, result, {
      figures: { records, bytes },
      failure,
      ...(endedMs !== undefined && { endedMs }),
    });
  }

  /** Looks at sessions that others may have ended, and at those that say nothing. `lease`: what a vault says of a session. */
  async review(lease: (vault: string, session: string) => Promise<SessionState | undefined>): Promise<void> {
    for (const followed of [...this.#followed.values()]) {
      const { session } = followed;
      // A vault that cannot be opened now is looked at next time.
      const state = await lease(session.vault, session.id).catch(() => null);
      if (state === null || this.#followed.get(session.id) !== followed) continue;
      const snapshot = state?.ended?.snapshot;
      if (typeof snapshot === "string") this.#end(followed, "done", null);
      else if (state === undefined || state.ended !== undefined) {
        this.#end(followed, "stopped", followed.failure);
      } else if (followed.runs && this.#nowMs() - followed.seenMs >= silentMs) this.#silence(followed);
    }
  }

  /** The row says interrupted; the session may go on, and is followed for that. */
  #silence(followed: Followed): void {
    const { row, records, bytes, seenMs, failure } = followed;
    const silent = { code: ErrorCode.sessionEnded, message: "its agent has said nothing since", next: null };
    followed.runs = false;
    followed.row = this.#jobs.end(row.id, "interrupted", {
      figures: { records, bytes },
      failure: failure ?? silent,
      endedMs: seenMs,
    });
  }
}
