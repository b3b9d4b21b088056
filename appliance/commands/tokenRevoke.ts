// holdfast token revoke

import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const row = await withAdmin(context, ({ tokens }) => tokens.revoke(args.operand(0)));
  output.line(`Access token ${row.id} (${row.label}) is revoked.`);
  output.event({ event: "done", ...row });
}
