// holdfast account escrow remove

import { escrowText, findEscrow } from "../account/escrow.ts";
import { reportRotation, rotateVault, tellEndedInvites } from "../account/rotation.ts";
import type { CommandContext } from "../cli/command.ts";
import { readPassword } from "../cli/password.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const account = args.operand(0);
  const dryRun = args.flag("dry-run");
  const escrow = await withAdmin(context, async (operations) => {
    const found = findEscrow(await operations.keysDocuments(account), args.operand(1));
    const vaults = (await operations.vaults(account)).filter(({ id }) => found.vaults.includes(id));
    if (dryRun) {
      for (const { name } of vaults) output.line(`Vault ${account}/${name} would get new keys without it.`);
      return found;
    }
    const password = await readPassword(context);
    for (const vault of vaults) {
      const options = { password, withoutEscrow: found.public, acceptUnproven: args.flag("accept-unproven") };
      const done = await rotateVault(operations, account, vault, options);
      reportRotation(context, account, done);
    }
    await tellEndedInvites(operations, account, context);
    return found;
  });
  if (!dryRun) {
    output.line(
      `The escrow key ${escrow.label} opens nothing that is backed up from now on. What was sealed before stays readable to whoever has kept a copy of the keys.`,
    );
  }
  output.event({
    event: "done",
    ...{ account, name: escrow.label, public: escrowText(escrow), dry_run: dryRun },
    vaults: escrow.vaults.length,
  });
}
