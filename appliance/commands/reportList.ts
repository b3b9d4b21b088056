// holdfast report list

import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { output } = context;
  const rows = await withAdmin(context, ({ reports }) => reports.list());
  output.event(rows);
  if (rows.length === 0) return output.line("No reports.");
  const lines = rows.map(({ account, rules, timeZone, nextDue, lastDay, doubtful, failure, to }) => [
    ...[account, `${rules.join("; ")} (${timeZone})`, nextDue ?? "-", lastDay ?? "-", to.join(", ")],
    failure ?? (doubtful.length === 0 ? "" : `${doubtful.join(", ")} may not have arrived`),
  ]);
  output.line(formatTable(["ACCOUNT", "WHEN", "NEXT", "LAST", "TO", "NOTES"], lines));
}
