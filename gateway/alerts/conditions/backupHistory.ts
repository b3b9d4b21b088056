// What the history of jobs tells of each item's backups: how the newest ended, and in which rhythm they come.

import type { JobRow } from "../../jobs/jobRows.ts";
import type { Jobs } from "../../jobs/jobs.ts";

type ItemHistory = {
  newest: Pick<JobRow, "id" | "result" | "failure" | "started" | "ended">;
  /** When the last of them reached their end, milliseconds since 1970, oldest first. */
  readonly goodMs: number[];
};

const gapsMax = 64;
const gapsMin = 5;
const dayMs = 86_400_000;
/** Room for a run that begins a little late, and takes longer. */
const slack = 1.5;

export class BackupHistory {
  readonly #items = new Map<string, ItemHistory>();

  constructor(jobs: Jobs) {
    const rows = jobs.list({ kind: "backup", failed: false, limit: Number.MAX_SAFE_INTEGER });
    for (const row of rows.reverse()) if (row.result !== "running") this.#add(row);
    jobs.onEnded((row) => this.#add(row));
  }

  #add(row: JobRow): void {
    if (row.session === undefined) return;
    const history = this.#items.get(row.session.item) ?? { newest: row, goodMs: [] };
    this.#items.set(row.session.item, history);
    if (row.id >= history.newest.id) history.newest = row;
    if ((row.result === "done" || row.result === "warnings") && row.ended !== null) {
      history.goodMs.push(Date.parse(row.ended));
      if (history.goodMs.length > gapsMax + 1) history.goodMs.shift();
    }
  }

  newest(item: string): ItemHistory["newest"] | undefined {
    return this.#items.get(item)?.newest;
  }

  /** Milliseconds after which a new snapshot is missed; undefined while there is no rhythm. */
  expectedMs(item: string): number | undefined {
    return rhythmMs(this.#items.get(item)?.goodMs ?? []);
  }
}

/**
 * Half as much again as the second longest of the last gaps, a day at least: nights and weekends of a machine that is off are part of its rhythm, one
 * holiday is not. Undefined for fewer than five gaps. `momentsMs`: oldest first.
 */
export function rhythmMs(momentsMs: readonly number[]): number | undefined {
  const gaps = momentsMs.slice(1).map((moment, n) => moment - momentsMs[n]!);
  if (gaps.length < gapsMin) return undefined;
  const [, second = 0] = gaps.sort((a, b) => b - a);
  return Math.max(dayMs, second * slack);
}
