// holdfast report remove

import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const account = args.operand(0);
  await withAdmin(context, ({ reports }) => reports.remove(account));
  output.event({ event: "done", account });
  output.line(`No report of ${account} is sent any more.`);
}
