// What a run of replication leaves in the gateway's history of jobs.

import type { Jobs } from "../../jobs/jobs.ts";
import type { RunReport } from "./replicationStatus.ts";

/** Runs a run as a job. @throws what the run throws */
export function replicateAsJob<Report extends Pick<RunReport, "packs" | "bytes" | "snapshots" | "unsent">>(
  jobs: Jobs,
  subject: string,
  signal: AbortSignal,
  run: () => Promise<Report>,
): Promise<Report> {
  return jobs.run({ kind: "replicate", subject }, signal, run, ({ packs, bytes, snapshots, unsent }) => ({
    figures: { packs, bytes, snapshots, unsent: unsent.length },
    warnings: unsent.length > 0,
  }));
}
