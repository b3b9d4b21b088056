// Jobs as metrics: counted when they end.

import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { type JobKind, type JobRow, jobKinds } from "../jobs/jobRows.ts";
import type { Jobs } from "../jobs/jobs.ts";

/** A second to a day. */
const bucketsSeconds = [1, 10, 60, 600, 3600, 21_600, 86_400];

export class JobCounters {
  readonly #jobs: Jobs;
  readonly #ended: Counter<"kind" | "result">;
  readonly #seconds: Histogram<"kind">;
  readonly #running: Gauge<"kind">;
  readonly #good: Gauge<"kind">;
  readonly #evicted: Counter;
  readonly #freed: Counter;
  readonly #damaged: Counter;
  /** When the newest one of each kind ended well, in seconds since 1970. */
  readonly #goodAt = new Map<JobKind, number>();

  constructor(registry: Registry, jobs: Jobs) {
    const registers = [registry];
    this.#jobs = jobs;
    this.#ended = new Counter({
      registers,
      name: "holdfast_jobs_total",
      help: "Jobs that ended since the start, by kind and result",
      labelNames: ["kind", "result"],
    });
    this.#seconds = new Histogram({
      registers,
      name: "holdfast_job_duration_seconds",
      help: "How long jobs took that reached their end",
      labelNames: ["kind"],
      buckets: bucketsSeconds,
    });
    this.#running = new Gauge({
      registers,
      name: "holdfast_jobs_running",
      help: "Jobs that run now, backups by their upload sessions",
      labelNames: ["kind"],
    });
    this.#good = new Gauge({
      registers,
      name: "holdfast_job_last_success_timestamp_seconds",
      help: "When the newest job of a kind reached its end, with warnings or without",
      labelNames: ["kind"],
    });
    this.#evicted = new Counter({
      registers,
      name: "holdfast_evicted_bytes_total",
      help: "Bytes of packs that were evicted since the start",
    });
    this.#freed = new Counter({
      registers,
      name: "holdfast_gc_freed_bytes_total",
      help: "Bytes of packs that garbage collection freed since the start, less what it copied",
    });
    this.#damaged = new Counter({
      registers,
      name: "holdfast_damage_found_total",
      help: "Damaged things that scrubs and verifications found since the start and could not heal",
    });
    for (const kind of jobKinds) {
      const [newest] = jobs.list({ kind, failed: false, limit: 1 }).filter(isGood);
      if (newest !== undefined) this.#note(newest);
    }
    jobs.onEnded((row) => this.#count(row));
  }

  #count(row: JobRow): void {
    const { kind, result, figures, started, ended } = row;
    this.#ended.inc({ kind, result });
    if (kind === "evict") this.#evicted.inc(figures.bytes ?? 0);
    // A run may take more than it frees for now: its replicas still need the old packs.
    if (kind === "gc") this.#freed.inc(Math.max(0, figures.freedBytes ?? 0));
    if (kind === "scrub" || kind === "replica-verify") this.#damaged.inc(figures.damaged ?? 0);
    if (!isGood(row) || ended === null) return;
    this.#seconds.observe({ kind }, Math.max(0, (Date.parse(ended) - Date.parse(started)) / 1000));
    this.#note(row);
  }

  #note({ kind, ended }: JobRow): void {
    if (ended !== null) this.#goodAt.set(kind, Date.parse(ended) / 1000);
  }

  /** Sets what is looked at when somebody asks. */
  collect(): void {
    this.#running.reset();
    for (const { kind } of this.#jobs.running()) this.#running.inc({ kind });
    for (const [kind, at] of this.#goodAt) this.#good.set({ kind }, at);
  }
}

function isGood({ result }: JobRow): boolean {
  return result === "done" || result === "warnings";
}
