// holdfast report set

import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const rules = args.texts("schedule");
  const request = {
    account: args.operand(0),
    to: args.texts("to"),
    rules: rules.length === 0 ? ["daily at 07:00"] : rules,
    timeZone: args.text("time-zone") ?? "UTC",
    textOnly: args.flag("text-only"),
  };
  const report = await withAdmin(context, ({ reports }) => reports.set(request));
  output.event({ event: "done", report });
  output.line(
    `Reports of ${report.account} go to ${report.to.join(", ")}; the next one is due ${report.nextDue}.`,
  );
}
