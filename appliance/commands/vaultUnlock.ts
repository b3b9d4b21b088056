// holdfast vault unlock

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { openWithEscrow } from "../../vault/keys/keysDocument.ts";
import type { KeysDocument } from "../../vault/keys/keysTypes.ts";
import type { VaultSecrets } from "../../vault/keys/vaultKeys.ts";
import { readEscrowKey } from "../account/escrow.ts";
import { openVaultSecrets, secretsRequest } from "../account/ownerKeys.ts";
import { documentOf } from "../account/rotation.ts";
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
    const document = documentOf(await operations.keysDocuments(name.account), id);
    const { secrets, by } = await opened(context, document);
    await operations.unlock(id, {
      ...secretsRequest(secrets),
      by,
      ...(seconds !== undefined && { forSeconds: seconds }),
    });
  });
  const until =
    seconds === undefined ? "until it is locked or the gateway stops" : `for ${formatDuration(seconds)}`;
  output.line(`Vault ${name.account}/${name.vault} is unlocked ${until}.`);
  output.event({ event: "done", ...name, unlocked: true, for_seconds: seconds ?? null });
}

/** By the account's password, or by an escrow key. */
async function opened(
  context: CommandContext,
  document: KeysDocument,
): Promise<{ readonly secrets: VaultSecrets; readonly by: "password" | "escrow" }> {
  const escrow = context.args.text("escrow-key-file");
  if (escrow === undefined) {
    return { secrets: await openVaultSecrets(document, await readPassword(context)), by: "password" };
  }
  const privateKey = readEscrowKey(escrow);
  const { secrets, e } = openWithEscrow(document, privateKey);
  privateKey.fill(0);
  e.fill(0);
  return { secrets, by: "escrow" };
}
