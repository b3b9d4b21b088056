// holdfast account disable

import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const name = context.args.operand(0);
  await withAdmin(context, (operations) => operations.setDisabled(name, true));
  context.output.line(
    `Account ${name} is disabled. Its backups stay; holdfast account enable lets it in again.`,
  );
  context.output.event({ event: "done", account: name, disabled: true });
}
