// Upload sessions as jobs: from a session's start to its commit, or to what came in between.
//
// Invariants
// - The lease in the vault's catalog is the truth; a row follows it, at once where the gateway sees the end, else at the next `review`.
// - What is counted for each record is a number in memory. The catalog is written when a session begins and when it ends.
// - A session that says nothing for `silentMs` counts as interrupted, and runs again with its next request.
// - One that is asked to stop is refused with its next request, and with all that follow; its lease stays, so that what it sent stays. The row ends
//   when the agent was told.

import type { BackupOver, BackupTold } from "../../ingest/wire/messages.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { SessionState } from "../catalog/leaseRows.ts";
import type { JobRow } from "./jobRows.ts";
import { failureOf, type Jobs } from "./jobs.ts";

/** A machine that sleeps in the middle of its backup is silent for a night; a walk over unchanged files for minutes. */
const silentMs = 3_600_000;
/** Of all items; one that is not found among them gets another row. */
const failedLooked = 1000;

type Followed = {
  row: JobRow;
  readonly session: NonNullable<JobRow["session"]>;
  runs: boolean;
  seenMs: number;
  records: number;
  bytes: number;
  /** As its agent says. */
  warnings: number;
  stopAsked: boolean;
  /** Why its last request was refused. */
  failure: JobRow["failure"];
};

export class BackupJobs {
  readonly #jobs: Jobs;
  readonly #nowMs: () => number;
  /** By session. */
  readonly #followed = new Map<string, Followed>();
  /** By item: the session whose agent was told to stop. */
  readonly #toldToStop = new Map<string, string>();
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
    const stopAsked = row.stopAsked !== undefined;
    const counts = { records: 0, bytes: 0, warnings: 0 };
    return { row, session, runs, seenMs: this.#nowMs(), ...counts, stopAsked, failure: null };
  }

  #stop(session: string): () => void {
    return () => {
      const followed = this.#followed.get(session);
      if (followed !== undefined) followed.stopAsked = true;
    };
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
    this.#toldToStop.delete(session.item);
    const id = this.#jobs.begin({ kind: "backup", subject, session }, this.#stop(session.id));
    this.#jobs.say(id, "info", "the agent began");
    this.#followed.set(session.id, this.#follow(this.#jobs.get(id) as JobRow, session, true));
  }

  /** A running session of an item asks for something. @throws HoldfastError backup-cancelled */
  seen(session: string, item: string): void {
    const followed = this.#followed.get(session);
    if (followed?.stopAsked === true) {
      this.#toldToStop.set(item, session);
      this.#end(followed, "stopped", null);
    }
    if (this.#toldToStop.get(item) === session) throw cancelledHere();
    if (followed === undefined) return;
    followed.seenMs = this.#nowMs();
    if (!followed.runs) this.#goOn(followed);
  }

  #goOn(followed: Followed): void {
    followed.runs = true;
    this.#jobs.resume(followed.row, this.#stop(followed.session.id));
    this.#jobs.say(followed.row.id, "info", "the agent goes on");
  }

  /** What the agent says of a session that runs. */
  told(session: string, { files, bytes, totalFiles, totalBytes, sentBytes, warnings }: BackupTold): void {
    const followed = this.#followed.get(session);
    if (followed === undefined) return;
    if (warnings > followed.warnings) {
      this.#jobs.say(
        followed.row.id,
        "warn",
        `${warnings} warnings so far: its output on the device has them`,
      );
    }
    followed.warnings = warnings;
    const totals = totalFiles + totalBytes > 0 ? { total: totalFiles, totalBytes } : {};
    const counts = { phase: "backing up", unit: "file", done: files, bytes, sentBytes };
    this.#jobs.show(followed.row.id, { ...counts, ...totals });
  }

  /** The agent says that it gave up; its lease stays, for the next one. */
  gaveUp(session: string, { result, code }: BackupOver): void {
    const followed = this.#followed.get(session);
    if (followed === undefined) return;
    const message = "the agent says so; its output on the device says more";
    this.#end(
      followed,
      result,
      result === "stopped" ? null : (followed.failure ?? { code, message, next: null }),
    );
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
    if (followed === undefined) return;
    followed.failure = failureOf(error);
    this.#jobs.say(followed.row.id, "warn", `refused: ${followed.failure.code}: ${followed.failure.message}`);
  }

  /** The newest job of an item whose agent gave up a session that it began then or later; `item`: 32 hex digits. */
  failedSince(item: string, sinceMs: number): number | undefined {
    const failed = this.#jobs.list({ kind: "backup", failed: true, sinceMs, limit: failedLooked });
    return failed.find(({ result, session }) => result === "failed" && session?.item === item)?.id;
  }

  /** The session's snapshot is there. `warnings`: of the agent. */
  committed(session: string, { incomplete, warnings }: { incomplete: boolean; warnings: number }): void {
    const followed = this.#followed.get(session);
    if (followed === undefined) return;
    followed.warnings = warnings;
    this.#end(followed, incomplete || warnings > 0 ? "warnings" : "done", null);
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
    const { row, session, records, bytes, warnings } = followed;
    this.#followed.delete(session.id);
    if (!followed.runs) {
      // Called interrupted before; only a better end is worth a row.
      if (result === "interrupted") return;
      this.#jobs.resume(row);
    }
    this.#jobs.end(row.id, result, {
      figures: { records, bytes, ...(warnings > 0 && { warnings }) },
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

function cancelledHere(): HoldfastError {
  return new HoldfastError(
    ErrorCode.backupCancelled,
    "the backup was stopped at the gateway (holdfast job cancel)",
    {
      next: "What was sent is kept; the next backup goes on from there.",
    },
  );
}
