// holdfast snapshot delete

import type { CommandContext } from "../cli/command.ts";
import { formatCount } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { printSnapshots } from "../retentionLines.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const reason = args.text("reason") ?? "deleted by hand";
  const gone = await withAdmin(context, ({ retention }) => retention.remove(args.operands, reason));
  output.event({ event: "done", snapshots: gone });
  const until = gone[0]?.trash?.until ?? "";
  output.line(
    `${formatCount(gone.length, "snapshot")} went to the trash. \`holdfast gateway undelete\` brings ${gone.length === 1 ? "it" : "them"} back, at least until ${until}.`,
  );
  printSnapshots(context, gone);
}
