// Opens the vaults of an account in a gateway that this process opened, with the account's password: for commands that show names of files.

import type { AdminOperations } from "../gateway/admin/operations.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import { openVaultSecrets, secretsRequest } from "./account/ownerKeys.ts";
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
    await operations.unlock(document.vault, secretsRequest(secrets));
  }
}

/**
 * Unlocks the vaults of --account, where it is given: in this process, so not for a gateway that runs in another (`running`).
 * @throws HoldfastError as unlockAccount; usage where one runs
 */
export async function unlockGiven(
  context: CommandContext,
  operations: Pick<AdminOperations, "keysDocuments" | "unlock">,
  running: boolean,
): Promise<void> {
  const account = context.args.text("account");
  if (account === undefined) return;
  if (!running) return await unlockAccount(context, operations, account);
  throw new HoldfastError(ErrorCode.usage, "--account is for a directory that no gateway runs on", {
    next: `Unlock the vault in the running one: holdfast vault unlock ${account}`,
  });
}
