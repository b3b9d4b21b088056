// holdfast account totp status

import type { CommandContext } from "../cli/command.ts";
import { formatCount } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const name = args.operand(0);
  const { enabled, since, recoveryCodesLeft } = await withAdmin(context, ({ totp }) => totp.status(name));
  output.event({ event: "done", account: name, enabled, since, recovery_codes_left: recoveryCodesLeft });
  if (!enabled) return output.line(`Account ${name} asks for no codes.`);
  return output.line(
    `Account ${name} asks for a code at every login since ${since}; ${formatCount(recoveryCodesLeft, "recovery code")} left.`,
  );
}
