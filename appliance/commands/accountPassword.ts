// holdfast account password

import { limits } from "../../vault/limits.ts";
import { changedPassword } from "../account/ownerKeys.ts";
import type { CommandContext } from "../cli/command.ts";
import { readNewPassword, readPassword, withCode } from "../cli/password.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const name = args.operand(0);
  const iterations = args.integer("kdf-iterations") ?? limits.kdfIterationsDefault;
  await withAdmin(context, async (operations) => {
    const documents = await operations.keysDocuments(name);
    const old = await readPassword(context);
    const changed = await changedPassword(documents, {
      old,
      new: () => readNewPassword(context, "new-password-file"),
      iterations,
    });
    await withCode(context, (code) =>
      operations.changePassword(name, { ...changed, ...(code !== undefined && { code }) }),
    );
  });
  output.line(`The password of ${name} is changed. Enrolled devices go on working.`);
  output.event({ event: "done", account: name });
}
