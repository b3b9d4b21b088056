// holdfast retention remove

import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { itemOf } from "../retentionLines.ts";
import { parseVaultName } from "../vaultName.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const { account, vault } = parseVaultName(args.operands[0] as string);
  await withAdmin(context, ({ retention }) =>
    retention.setPolicy({ ...itemOf(context), account, vault, policy: null }),
  );
  output.event({ event: "done" });
  output.line("The policy is gone. Where no other one counts, every snapshot stays.");
}
