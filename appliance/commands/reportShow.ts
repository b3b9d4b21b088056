// holdfast report show

import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const mail = await withAdmin(context, ({ reports }) => reports.preview(args.operand(0)));
  output.event({ event: "done", ...mail });
  output.line(`Subject: ${mail.subject}\n\n${mail.text.trimEnd()}`);
}
