// holdfast account enable

import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const name = context.args.operand(0);
  await withAdmin(context, (operations) => operations.setDisabled(name, false));
  context.output.line(`Account ${name} is enabled.`);
  context.output.event({ event: "done", account: name, disabled: false });
}
