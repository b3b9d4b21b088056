// holdfast token list

import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { output } = context;
  const all = await withAdmin(context, ({ tokens }) => tokens.list());
  output.event(all);
  if (all.length === 0) return output.line("There are no access tokens. Make one: holdfast token create");
  const rows = all.map(({ id, label, role, scopes, expires, expired, created }) => [
    ...[id, label, role, scopes?.join(",") ?? "all"],
    ...[expired ? `expired ${expires}` : expires, created],
  ]);
  return output.line(formatTable(["ID", "LABEL", "ROLE", "SCOPES", "EXPIRES", "CREATED"], rows));
}
