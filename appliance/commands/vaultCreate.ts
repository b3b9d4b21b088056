// holdfast vault create

import { checkName } from "../../ingest/wire/names.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { escrowHolders } from "../../vault/keys/keysDocument.ts";
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
  const { made, escrows } = await withAdmin(context, async (operations) => {
    const documents = await operations.keysDocuments(account);
    const password = await readPassword(context);
    const vault = await makeFurtherVault(documents, { name, password, now: new Date() });
    return { made: await operations.createVault(account, vault), escrows: escrowHolders(vault.keysDocument) };
  });
  context.output.line(`Vault ${account}/${name} created. Devices that are enrolled from now on can use it.`);
  for (const { label } of escrows) context.output.line(`The escrow key ${label} opens it too.`);
  context.output.event({ event: "done", account, name, vault: made.vault });
}
