// What a run of replication leaves in the gateway's history of jobs, and shows there while it runs.

import type { JobWatch } from "../../admin/job.ts";
import type { Jobs } from "../../jobs/jobs.ts";
import type { JobProgress, RunReport } from "./replicationStatus.ts";

/** Runs a run as a job. @throws what the run throws */
export function replicateAsJob<Report extends Pick<RunReport, "packs" | "bytes" | "snapshots" | "unsent">>(
  jobs: Jobs,
  subject: string,
  watch: JobWatch<JobProgress>,
  run: (watch: JobWatch<JobProgress>) => Promise<Report>,
): Promise<Report> {
  const shown = ({ packsDone, packsLeft, bytesDone, bytesLeft }: JobProgress) => ({
    ...{ phase: "replicating", unit: "pack", done: packsDone, total: packsDone + packsLeft },
    ...{ bytes: bytesDone, totalBytes: bytesDone + bytesLeft },
  });
  return jobs.run(
    { kind: "replicate", subject },
    { ...watch, shown },
    run,
    ({ packs, bytes, snapshots, unsent }) => ({
      figures: { packs, bytes, snapshots, unsent: unsent.length },
      warnings: unsent.length > 0,
    }),
  );
}
