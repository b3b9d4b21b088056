// holdfast vault unlock

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { openVaultSecrets, unlockRequest } from "../account/ownerKeys.ts";
import type { CommandContext } from "../cli/command.ts";
import { readPassword } from "../cli/password.ts";
import { formatDuration } from "../cli/units.ts";
import { dataOf, withAdmin } from "../gatewayAccess.ts";
import { findVault, parseVaultName } from "../vaultName.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const name = parseVaultName(args.operand(0));
  const seconds = args.duration("for");
  await withAdmin(context, async (operations, running) => {
    if (!running) {
      throw new HoldfastError(ErrorCode.gatewayUnreachable, `no gateway runs on ${dataOf(context)}`, {
        next: "Keys live only in a running gateway: start it with `holdfast gateway run`.",
      });
    }
    const { id } = await findVault(operations, name);
    const document = (await operations.keysDocuments(name.account)).find(({ vault }) => vault === id);
    if (document === undefined) throw new HoldfastError(ErrorCode.notFound, "the vault has no keys document");
    const secrets = await openVaultSecrets(document, await readPassword(context));
    await operations.unlock(id, unlockRequest(secrets, seconds));
  });
  const until =
    seconds === undefined ? "until it is locked or the gateway stops" : `for ${formatDuration(seconds)}`;
  output.line(`Vault ${name.account}/${name.vault} is unlocked ${until}.`);
  output.event({ event: "done", ...name, unlocked: true, for_seconds: seconds ?? null });
}
