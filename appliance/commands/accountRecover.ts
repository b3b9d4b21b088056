// holdfast account recover

import { parseRecoveryKey } from "../../vault/keys/recoveryKey.ts";
import { limits } from "../../vault/limits.ts";
import { readEscrowKey } from "../account/escrow.ts";
import { escrowedPassword, recoveredPassword } from "../account/ownerKeys.ts";
import type { CommandContext } from "../cli/command.ts";
import { readPassword, readRecoveryKey, withCode } from "../cli/password.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const name = args.operand(0);
  const iterations = args.integer("kdf-iterations") ?? limits.kdfIterationsDefault;
  const escrowFile = args.text("escrow-key-file");
  const privateKey =
    escrowFile === undefined
      ? parseRecoveryKey("account", await readRecoveryKey(context))
      : readEscrowKey(escrowFile);
  const recovered = escrowFile === undefined ? recoveredPassword : escrowedPassword;
  await withAdmin(context, async (operations) => {
    const documents = await operations.keysDocuments(name);
    const password = await readPassword(context, { isNew: true });
    const changed = await recovered(documents, { privateKey, password, iterations });
    await withCode(context, (code) =>
      operations.changePassword(name, { ...changed, ...(code !== undefined && { code }) }),
    );
  });
  privateKey.fill(0);
  output.line(`Account ${name} has its new password.`);
  output.event({ event: "done", account: name });
}
