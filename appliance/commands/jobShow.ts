// holdfast job show

import type { CommandContext } from "../cli/command.ts";
import { formatDuration } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { figuresText, jobNumber, jobTitle, logLine, progressLineOf } from "../jobLines.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const id = jobNumber(args.operand(0));
  const { job, lines } = await withAdmin(context, ({ jobs }) => jobs.log(id, 0));
  output.event({ ...job, log: lines });
  output.line(`Job ${job.id}: ${jobTitle(job)}`);
  output.line(`Result: ${job.result}`);
  output.line(`Started: ${job.started}`);
  if (job.ended !== null) output.line(`Ended: ${job.ended}`);
  if (job.seconds !== null) output.line(`Took: ${formatDuration(job.seconds)}`);
  const now = progressLineOf(job);
  if (job.result === "running" && now !== "") output.line(`Now: ${now}`);
  const figures = figuresText(job.figures);
  if (figures !== "") output.line(`Figures: ${figures}`);
  if (job.failure !== null) {
    output.line(`Why: ${job.failure.message} (${job.failure.code})`);
    if (job.failure.next !== null) output.line(`Next: ${job.failure.next}`);
  }
  if (lines.length === 0) return;
  output.line("Log:");
  const missing = lines[0]!.number - 1;
  if (missing > 0) output.line(`  (${missing} earlier lines are not kept)`);
  for (const line of lines) output.line(`  ${logLine(line)}`);
}
