// A job that runs in this process: its row, what it shows, what was said, and how it is asked to stop.

import { JobLog } from "./jobLog.ts";
import type { JobRow } from "./jobRows.ts";
import { ProgressMeter } from "./shownProgress.ts";

export class LiveJob {
  row: JobRow;
  readonly log: JobLog;
  readonly progress: ProgressMeter;
  /** Asks it to stop; undefined: it cannot be. */
  readonly stop: (() => void) | undefined;

  constructor(row: JobRow, monotonicMs: () => number, stop: (() => void) | undefined, log = new JobLog()) {
    this.row = row;
    this.log = log;
    this.progress = new ProgressMeter(monotonicMs);
    this.stop = stop;
  }
}
