// holdfast alert test

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { output, signal } = context;
  const watch = { onProgress: () => undefined, signal };
  const { results } = await withAdmin(context, ({ alerts }) => alerts.test(watch));
  for (const { way, failure } of results) {
    if (failure === null) output.line(`${way}: sent`);
    else output.fault(`${way}: ${failure}`);
  }
  const failed = results.filter(({ failure }) => failure !== null);
  if (failed.length > 0) {
    throw new HoldfastError(
      ErrorCode.alertNotSent,
      `no test got out by ${failed.map(({ way }) => way).join(", ")}`,
      {
        next: "Mend the alert- settings in config.toml and reload the gateway (SIGHUP).",
      },
    );
  }
  output.event({ event: "done", results });
}
