// holdfast snapshot list

import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { printSnapshots, scopeOf } from "../retentionLines.ts";

export async function run(context: CommandContext): Promise<void> {
  const { output } = context;
  const rows = await withAdmin(context, ({ retention }) => retention.snapshots(scopeOf(context), false));
  output.event(rows);
  if (rows.length === 0) return output.line("No snapshots yet.");
  printSnapshots(context, rows);
}
