// holdfast report send

import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output, signal } = context;
  const watch = { onProgress: () => undefined, signal };
  const account = args.operand(0);
  const { to, refused } = await withAdmin(context, ({ reports }) => reports.send(account, watch));
  if (refused > 0) output.warn(`the server refused ${refused} of ${to.length} addresses`);
  output.event({ event: "done", account, to, refused });
  output.line(`The report of ${account} was sent to ${to.join(", ")}.`);
}
