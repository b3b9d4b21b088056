// holdfast alert list

import { alertLines } from "../alertLines.ts";
import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const rows = await withAdmin(context, ({ alerts }) => alerts.list(args.flag("all")));
  output.event(rows);
  if (rows.length === 0) return output.line("No alerts.");
  for (const line of rows.flatMap(alertLines)) output.line(line);
}
