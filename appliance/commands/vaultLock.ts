// holdfast vault lock

import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { findVault, parseVaultName } from "../vaultName.ts";

export async function run(context: CommandContext): Promise<void> {
  const name = parseVaultName(context.args.operand(0));
  const wasUnlocked = await withAdmin(context, async (operations) => {
    const { id } = await findVault(operations, name);
    return operations.lock(id);
  });
  const said = wasUnlocked ? "is locked" : "was locked already";
  context.output.line(`Vault ${name.account}/${name.vault} ${said}.`);
  context.output.event({ event: "done", ...name, unlocked: false, was_unlocked: wasUnlocked });
}
