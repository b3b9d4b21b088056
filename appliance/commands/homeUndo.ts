// holdfast home undo

import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { homeRows } from "../homeLines.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const answer = await withAdmin(context, ({ homes }) => homes.undo(args.operand(0)));
  output.line(formatTable(["ACCOUNT", "DEVICE", "HOME", "ADDRESS"], homeRows(answer)));
  output.event({ event: "done", ...answer });
}
