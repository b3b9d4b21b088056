// holdfast account totp confirm

import type { CommandContext } from "../cli/command.ts";
import { askCode } from "../cli/password.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const name = args.operand(0);
  const code = args.text("totp") ?? (await askCode(context));
  await withAdmin(context, ({ totp }) => totp.confirm(name, code));
  output.line(`Account ${name} asks for a code at every login from now on.`);
  output.event({ event: "done", account: name });
}
