// holdfast account add

import { rmSync } from "node:fs";
import { accountTaken } from "../../gateway/catalog/accounts.ts";
import { checkName } from "../../ingest/wire/names.ts";
import { limits } from "../../vault/limits.ts";
import { makeAccount } from "../account/ownerKeys.ts";
import type { CommandContext } from "../cli/command.ts";
import { readPassword } from "../cli/password.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { deliverRecoveryKey, openRecoveryKeyFile } from "../recoveryKeyOutput.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const name = checkName(args.operand(0), "account");
  const iterations = args.integer("kdf-iterations") ?? limits.kdfIterationsDefault;
  const place = openRecoveryKeyFile(args.text("recovery-key-file"));
  try {
    await withAdmin(context, async (operations) => {
      // Before anything is asked; addAccount refuses it too.
      if ((await operations.accounts()).some((account) => account.name === name)) throw accountTaken(name);
      const password = await readPassword(context, { isNew: true });
      const { request, recoveryKey } = await makeAccount({ name, password, iterations, now: new Date() });
      const { id, vault } = await operations.addAccount(request);
      output.line(`Account ${name} added, with vault main.`);
      deliverRecoveryKey(place, recoveryKey, `account ${name}`, output);
      output.event({ event: "done", account: name, id, vault });
    });
  } catch (error) {
    if (place !== undefined) rmSync(place.file, { force: true });
    throw error;
  }
}
