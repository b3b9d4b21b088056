// holdfast gateway metrics-token

import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  if (args.flag("remove")) {
    const { removed } = await withAdmin(context, ({ metrics }) => metrics.removeToken());
    output.event({ event: "done", removed });
    return output.line(removed ? "The token is worth nothing any more." : "There was no token.");
  }
  const { token } = await withAdmin(context, ({ metrics }) => metrics.issueToken());
  output.once(token, { event: "metrics-token", token });
  output.note("Shown only now. Put it into a file (mode 0600) that `credentials_file` of Prometheus names.");
  output.event({ event: "done" });
}
