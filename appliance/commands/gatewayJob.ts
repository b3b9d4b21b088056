// holdfast gateway job

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatDuration } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { figuresText } from "../jobLines.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const text = args.operand(0);
  if (!/^[0-9]{1,15}$/.test(text)) throw new HoldfastError(ErrorCode.usage, `not a job's number: ${text}`);
  const job = await withAdmin(context, ({ jobs }) => jobs.get(Number(text)));
  output.event(job);
  output.line(`Job ${job.id}: ${job.kind}${job.subject === "" ? "" : ` of ${job.subject}`}`);
  output.line(`Result: ${job.result}`);
  output.line(`Started: ${job.started}`);
  if (job.ended !== null) output.line(`Ended: ${job.ended}`);
  if (job.seconds !== null) output.line(`Took: ${formatDuration(job.seconds)}`);
  const figures = figuresText(job.figures);
  if (figures !== "") output.line(`Figures: ${figures}`);
  if (job.failure === null) return;
  output.line(`Why: ${job.failure.message} (${job.failure.code})`);
  if (job.failure.next !== null) output.line(`Next: ${job.failure.next}`);
}
