// Opens the vaults of an account in a gateway that this process opened, with the account's password: for commands that show names of files.

import type { AdminOperations } from "../gateway/admin/operations.ts";
import { openVaultSecrets, unlockRequest } from "./account/ownerKeys.ts";
import type { CommandContext } from "./cli/command.ts";
import { readPassword } from "./cli/password.ts";

/** Unlocks all vaults of an account. @throws HoldfastError not-found, key-wrong, usage */
export async function unlockAccount(
  context: CommandContext,
  operations: Pick<AdminOperations, "keysDocuments" | "unlock">,
  account: string,
): Promise<void> {
  const password = await readPassword(context);
  for (const document of await operations.keysDocuments(account)) {
    const secrets = await openVaultSecrets(document, password);
    await operations.unlock(document.vault, unlockRequest(secrets, undefined));
  }
}
