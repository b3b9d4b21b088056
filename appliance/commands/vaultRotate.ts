// holdfast vault rotate

import {
  type RotatedVault,
  reportRotation,
  rotateVault,
  tellEndedInvites,
  vaultsNamed,
} from "../account/rotation.ts";
import type { CommandContext } from "../cli/command.ts";
import { readPassword } from "../cli/password.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const [account = "", ...rest] = args.operand(0).split("/");
  const name = rest.length === 0 ? undefined : rest.join("/");
  const rotated: RotatedVault[] = [];
  await withAdmin(context, async (operations) => {
    const vaults = await vaultsNamed(operations, account, name);
    const password = await readPassword(context);
    const acceptUnproven = args.flag("accept-unproven");
    for (const vault of vaults) {
      const done = await rotateVault(operations, account, vault, { password, acceptUnproven });
      reportRotation(context, account, done);
      rotated.push(done);
    }
    await tellEndedInvites(operations, account, context);
  });
  output.note(
    "What is backed up from now on is sealed with the new keys. What was sealed before stays readable to whoever had the old ones.",
  );
  output.event({
    event: "done",
    account,
    vaults: rotated.map(({ id, name, epoch }) => ({ id, name, epoch })),
  });
}
