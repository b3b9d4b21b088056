// holdfast device revoke

import type { AdminOperations } from "../../gateway/admin/operations.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { reportRotation, rotateVault, tellEndedInvites, vaultsNamed } from "../account/rotation.ts";
import type { CommandContext } from "../cli/command.ts";
import { readPassword } from "../cli/password.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { shellWord } from "../shellWord.ts";

/** The account and name that "ACCOUNT/DEVICE" or a device's name alone stand for. */
async function findDevice(
  operations: AdminOperations,
  written: string,
): Promise<{ readonly account: string; readonly device: string }> {
  const slash = written.indexOf("/");
  if (slash >= 0) return { account: written.slice(0, slash), device: written.slice(slash + 1) };
  const named = (await operations.devices()).filter(
    (row) => !row.revoked && [row.name, row.id].includes(written),
  );
  if (named.length > 1) {
    throw new HoldfastError(ErrorCode.usage, `several accounts have a device ${written}`, {
      next: `Say which: ${named.map((row) => `${row.account}/${row.name}`).join(", ")}`,
    });
  }
  if (named[0] !== undefined) return { account: named[0].account, device: named[0].id };
  throw new HoldfastError(ErrorCode.notFound, `there is no device ${written}`, {
    next: "`holdfast device list` shows which there are.",
  });
}

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const written = args.operand(0);
  const rotates = args.flag("rotate");
  const { account, device } = await withAdmin(context, async (operations) => {
    const found = await findDevice(operations, written);
    await operations.revokeDevice(found.account, found.device);
    output.line(`Device ${written} is revoked. Its snapshots stay and can be restored from other devices.`);
    if (!rotates) return found;
    const vaults = await vaultsNamed(operations, found.account);
    const password = await readPassword(context);
    const acceptUnproven = args.flag("accept-unproven");
    for (const vault of vaults) {
      const done = await rotateVault(operations, found.account, vault, { password, acceptUnproven });
      reportRotation(context, found.account, done);
    }
    await tellEndedInvites(operations, found.account, context);
    return found;
  });
  if (!rotates) {
    output.line(
      `Whoever has it may have copied the vault's keys: new ones take that away for what comes from now on: holdfast vault rotate ${shellWord(account)}`,
    );
  }
  output.event({ event: "done", account, device, rotated: rotates });
}
