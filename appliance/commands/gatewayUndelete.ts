// holdfast gateway undelete

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatCount } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { printSnapshots } from "../retentionLines.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const all = args.flag("all");
  if (all === args.operands.length > 0) {
    throw new HoldfastError(ErrorCode.usage, "name the snapshots, or say --all", {
      next: "`holdfast gateway trash` shows what is there.",
    });
  }
  const back = await withAdmin(context, ({ retention }) => retention.undelete(all ? null : args.operands));
  output.event({ event: "done", snapshots: back });
  output.line(`${formatCount(back.length, "snapshot")} came back from the trash.`);
  if (back.length > 0) printSnapshots(context, back);
}
