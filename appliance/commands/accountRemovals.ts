// holdfast account removals

import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { output } = context;
  const all = await withAdmin(context, ({ removals }) => removals.list());
  output.event(all);
  if (all.length === 0) return output.line("No account was removed.");
  for (const { name, time, statement } of all) {
    output.line(`Account ${name}, removed ${time}:`);
    output.line(statement.trimEnd());
  }
  return undefined;
}
