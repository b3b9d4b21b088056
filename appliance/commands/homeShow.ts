// holdfast home show

import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { homeRows } from "../homeLines.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const homes = await withAdmin(context, (operations) => operations.homes.show(args.operands[0]));
  output.event(homes);
  if (homes.length === 0) return output.line("No accounts yet. Add one: holdfast account add NAME");
  output.line(formatTable(["ACCOUNT", "DEVICE", "HOME", "ADDRESS"], homes.flatMap(homeRows)));
}
