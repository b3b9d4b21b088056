// Pins and tags from the command line.

import type { MarkRequest } from "../gateway/admin/retentionOperations.ts";
import type { CommandContext } from "./cli/command.ts";
import { withAdmin } from "./gatewayAccess.ts";
import { printSnapshots } from "./retentionLines.ts";

/** Changes what is noted of the snapshots that a command line names, and shows them. */
export async function markSnapshots(
  context: CommandContext,
  marks: Omit<MarkRequest, "snapshots">,
): Promise<void> {
  const snapshots = context.args.operands;
  const rows = await withAdmin(context, ({ retention }) => retention.mark({ ...marks, snapshots }));
  context.output.event({ event: "done", snapshots: rows });
  printSnapshots(context, rows);
}
