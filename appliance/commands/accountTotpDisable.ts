// holdfast account totp disable

import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const name = args.operand(0);
  await withAdmin(context, ({ totp }) => totp.disable(name));
  output.line(
    `Account ${name} asks for no codes any more; the authenticator's entry and the recovery codes are void.`,
  );
  output.event({ event: "done", account: name });
}
