// holdfast alert acknowledge

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { alertLines } from "../alertLines.ts";
import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const written = args.operand(0);
  if (!/^[1-9]\d{0,14}$/.test(written)) {
    throw new HoldfastError(ErrorCode.usage, `not the number of an alert: ${written}`, {
      next: "`holdfast alert list` shows them.",
    });
  }
  const alert = await withAdmin(context, ({ alerts }) =>
    alerts.acknowledge(Number(written), args.text("note") ?? ""),
  );
  output.event({ event: "done", alert });
  for (const line of alertLines(alert)) output.line(line);
}
