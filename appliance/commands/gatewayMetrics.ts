// holdfast gateway metrics

import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { text } = await withAdmin(context, ({ metrics }) => metrics.text());
  context.output.event({ event: "metrics", text });
  context.output.line(text.trimEnd());
}
