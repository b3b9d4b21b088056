// holdfast job cancel

import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { jobNumber, jobTitle } from "../jobLines.ts";
import { followToEnd } from "./jobFollow.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const id = jobNumber(args.operand(0));
  const { asked, job } = await withAdmin(context, ({ jobs }) => jobs.cancel(id));
  const name = `Job ${id}, ${jobTitle(job)},`;
  if (!asked) {
    output.event({ event: "done", asked, job });
    return output.line(`${name} has ended already: ${job.result}.`);
  }
  output.line(`${name} is asked to stop. What it did counts.`);
  const ended = args.flag("wait") ? await followToEnd(context, id) : job;
  output.event({ event: "done", asked, job: ended });
  if (args.flag("wait")) output.line(`${name} has ended: ${ended.result}.`);
}
