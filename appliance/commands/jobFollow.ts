// holdfast job follow

import { setTimeout as pause } from "node:timers/promises";
import type { JobAnswer } from "../../gateway/admin/jobOperations.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatDuration } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { figuresText, jobNumber, jobTitle, logLine, progressState } from "../jobLines.ts";

const everyMs = 1000;

export async function run(context: CommandContext): Promise<void> {
  tellEnd(context, await followToEnd(context, jobNumber(context.args.operand(0))));
}

/** Shows a job until it has ended. @throws HoldfastError not-found, cancelled: the job runs on */
export async function followToEnd(context: CommandContext, id: number): Promise<JobAnswer> {
  const { output, signal } = context;
  let isNew = true;
  for (let after = 0; ; ) {
    // Each time anew: the gateway may be restarted meanwhile.
    const { job, lines } = await withAdmin(context, ({ jobs }) => jobs.log(id, after));
    if (isNew) output.note(`Job ${job.id}: ${jobTitle(job)}`);
    isNew = false;
    for (const line of lines) {
      output.event({ event: "log", ...line });
      output.line(logLine(line));
    }
    after = lines.at(-1)?.number ?? after;
    if (job.result !== "running") {
      output.endProgress();
      return job;
    }
    if (job.progress !== null) output.progress(progressState(job.progress));
    await pause(everyMs, undefined, { signal }).catch(() => {
      throw new HoldfastError(ErrorCode.cancelled, `stopped looking; job ${id} runs on`, {
        next: `To stop it: holdfast job cancel ${id}`,
      });
    });
  }
}

/** The end of a job as the end of this command. @throws HoldfastError where it did not reach its own */
function tellEnd({ output }: CommandContext, job: JobAnswer): void {
  const { id, result, failure, seconds, figures } = job;
  if (result === "done" || result === "warnings") {
    output.event({ event: "done", job });
    const took = seconds === null ? "" : ` in ${formatDuration(seconds)}`;
    output.line(
      `Job ${id} is done${took}${Object.keys(figures).length === 0 ? "" : `: ${figuresText(figures)}`}.`,
    );
    if (result === "warnings") output.warn(`job ${id} ended with warnings`);
    return;
  }
  const why = failure === null ? "" : `: ${failure.message}`;
  throw new HoldfastError(failure?.code ?? ErrorCode.cancelled, `job ${id} ${endings[result]}${why}`, {
    next: failure?.next ?? `\`holdfast job show ${id}\` has its log.`,
  });
}

const endings = {
  failed: "failed",
  stopped: "was stopped",
  interrupted: "was interrupted",
  running: "runs",
} as const;
