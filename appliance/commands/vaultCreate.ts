// holdfast vault create

import { checkName } from "../../ingest/wire/names.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { makeFurtherVault } from "../account/ownerKeys.ts";
import type { CommandContext } from "../cli/command.ts";
import { readPassword } from "../cli/password.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { parseVaultName } from "../vaultName.ts";

export async function run(context: CommandContext): Promise<void> {
  const written = context.args.operand(0);
  if (!written.includes("/")) {
    throw new HoldfastError(ErrorCode.usage, `not ACCOUNT/VAULT: ${written}`, {
      next: `Write it like ${written}/archive: every account has its vault main already.`,
    });
  }
  const { account, vault } = parseVaultName(written);
  const name = checkName(vault, "vault");
  const made = await withAdmin(context, async (operations) => {
    const documents = await operations.keysDocuments(account);
    const password = await readPassword(context);
    return operations.createVault(
      account,
      await makeFurtherVault(documents, { name, password, now: new Date() }),
    );
  });
  context.output.line(`Vault ${account}/${name} created. Devices that are enrolled from now on can use it.`);
  context.output.event({ event: "done", account, name, vault: made.vault });
}
