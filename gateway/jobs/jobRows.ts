// The rows of jobs: one for each run of long work, kept within bounds of number and age.
//
// Invariants
// - Ids grow, over all kinds; one may be given again only when its row and all later ones are gone.
// - `open` names exactly the rows whose result is `running`: both change in one transaction.
// - A row whose job runs is not removed.
// - A log goes with its row, and only the newest `logsKept` rows of a kind have one.

import type { ErrorCode } from "../../vault/errors.ts";
import { orderKeyOf } from "../catalog/rowKeys.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";
import type { JobLine } from "./jobLog.ts";

/** What jobs there are; `backup` is an upload session as the gateway sees it. */
export const jobKinds = [
  "backup",
  "replicate",
  "replica-verify",
  "replica-remove",
  "replica-erase",
  "scrub",
  "check",
  "drill",
  "rebuild-index",
  "repair",
  "prune",
  "gc",
  "evict",
  "fetch",
  "restore-from",
  "seed-seal",
  "seed-reopen",
  "seed-send",
  "seed-promise",
  "seed-import",
  "seed-abandon",
  "seed-stage",
] as const;
export type JobKind = (typeof jobKinds)[number];

/** interrupted: the gateway ended while it ran, or its agent went away. */
export type JobResult = "running" | "done" | "warnings" | "failed" | "stopped" | "interrupted";

export type JobRow = {
  readonly id: number;
  readonly kind: JobKind;
  /** What it is about, as people name it: "acme/laptop/files", "offsite acme/main"; empty: the whole gateway. */
  readonly subject: string;
  /** RFC 3339. */
  readonly started: string;
  /** Null while it runs, and for one whose end nobody saw. */
  readonly ended: string | null;
  readonly result: JobResult;
  /** Why it did not reach its end. */
  readonly failure: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly next: string | null;
  } | null;
  /** What it did: counts, and bytes where the name says so. */
  readonly figures: Readonly<Record<string, number>>;
  /** RFC 3339: since when it is asked to stop. */
  readonly stopAsked?: string;
  /** Of a backup: its upload session, and its vault and item by id. */
  readonly session?: { readonly id: string; readonly vault: string; readonly item: string };
};

export type HistoryBounds = {
  /** Ended rows of one kind. */
  readonly keptMax: number;
  readonly days: number;
};

const dayMs = 86_400_000;
/** Rows that one new row can push out: after a lowered bound the rest goes with the next ones. */
const removedAtOnce = 1000;
const kindBytes = 16;
/** Of each kind; with the bounds of a log these are some ten MiB at most. */
const logsKept = 200;

export class JobRows {
  readonly #environment: IndexEnvironment;
  /** By kind (padded) and id. */
  readonly #rows: Table<JobRow>;
  /** Kinds of the jobs that run, by id. */
  readonly #open: Table<JobKind>;
  /** Of ended jobs, by the same keys as rows. */
  readonly #logs: Table<readonly JobLine[]>;
  /** Ids by kind, in their order; read when they are first needed. */
  #ids: Map<JobKind, number[]> | undefined;

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#rows = openTable(environment, "jobs", jsonCodec<JobRow>());
    this.#open = openTable(environment, "jobs-open", jsonCodec<JobKind>());
    this.#logs = openTable(environment, "job-logs", jsonCodec<readonly JobLine[]>());
    environment.onAbort(() => {
      this.#ids = undefined;
    });
  }

  /** An id that no row has. */
  nextId(): number {
    let newest = 0;
    for (const ids of this.#known().values()) newest = Math.max(newest, ids.at(-1) ?? 0);
    return newest + 1;
  }

  /** Adds a row or replaces it, with its log where that is given, and removes what is beyond the bounds. */
  put(row: JobRow, bounds: HistoryBounds, now: Date, lines: readonly JobLine[] = []): void {
    this.#environment.write(() => {
      const ids = this.#idsOf(row.kind);
      if (row.id > (ids.at(-1) ?? 0)) {
        ids.push(row.id);
        const leaves = ids.at(-1 - logsKept);
        if (leaves !== undefined) this.#logs.remove(keyOf(row.kind, leaves));
      }
      const keepsLog = row.id > (ids.at(-1 - logsKept) ?? 0);
      if (lines.length > 0 && keepsLog) this.#logs.put(keyOf(row.kind, row.id), lines);
      this.#rows.put(keyOf(row.kind, row.id), row);
      if (row.result === "running") this.#open.put(orderKeyOf(row.id), row.kind);
      else this.#open.remove(orderKeyOf(row.id));
      this.#trim(row.kind, bounds, now);
    });
  }

  #trim(kind: JobKind, { keptMax, days }: HistoryBounds, now: Date): void {
    const eldestMs = now.getTime() - days * dayMs;
    const ids = this.#idsOf(kind);
    const running = new Set(this.open().flatMap((row) => (row.kind === kind ? row.id : [])));
    let ended = ids.length - running.size;
    let at = 0;
    for (let looked = 0; looked < removedAtOnce && at < ids.length; looked++) {
      const id = ids[at] as number;
      if (running.has(id)) {
        at++;
        continue;
      }
      const key = keyOf(kind, id);
      if (ended <= keptMax && Date.parse(this.#rows.get(key)?.started ?? "") >= eldestMs) return;
      this.#rows.remove(key);
      this.#logs.remove(key);
      ids.splice(at, 1);
      ended--;
    }
  }

  get(id: number): JobRow | undefined {
    for (const kind of jobKinds) {
      const row = this.#rows.get(keyOf(kind, id));
      if (row !== undefined) return row;
    }
    return undefined;
  }

  /** The log of a job that ended. */
  log({ kind, id }: Pick<JobRow, "kind" | "id">): readonly JobLine[] {
    return this.#logs.get(keyOf(kind, id)) ?? [];
  }

  /** Rows of jobs that run, or ran when the process before this one ended. */
  open(): JobRow[] {
    return this.#open.entries().flatMap(([key, kind]) => {
      return this.#rows.get(keyOf(kind, Number(Buffer.from(key).readBigUInt64BE(0)))) ?? [];
    });
  }

  /** The newest rows first, of one kind or of all, as far as `wanted` says yes, `limit` at most. */
  newest(limit: number, kind: JobKind | undefined, wanted: (row: JobRow) => boolean): JobRow[] {
    const kinds = kind === undefined ? jobKinds : [kind];
    const places = kinds.flatMap((each) => this.#idsOf(each).map((id) => ({ kind: each, id })));
    const rows: JobRow[] = [];
    for (const place of places.sort((a, b) => b.id - a.id)) {
      if (rows.length === limit) break;
      const row = this.#rows.get(keyOf(place.kind, place.id));
      if (row !== undefined && wanted(row)) rows.push(row);
    }
    return rows;
  }

  #idsOf(kind: JobKind): number[] {
    const all = this.#known();
    const ids = all.get(kind) ?? [];
    all.set(kind, ids);
    return ids;
  }

  #known(): Map<JobKind, number[]> {
    if (this.#ids !== undefined) return this.#ids;
    const ids = new Map<JobKind, number[]>();
    for (const key of this.#rows.keys()) {
      const kind = Buffer.from(key.subarray(0, kindBytes)).toString().trimEnd() as JobKind;
      const of = ids.get(kind) ?? [];
      ids.set(kind, of);
      of.push(Number(Buffer.from(key).readBigUInt64BE(kindBytes)));
    }
    this.#ids = ids;
    return ids;
  }
}

function keyOf(kind: JobKind, id: number): Buffer {
  return Buffer.concat([Buffer.from(kind.padEnd(kindBytes)), orderKeyOf(id)]);
}
