// holdfast seed abandon

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatCount } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const box = Number(args.operand(0));
  if (!Number.isInteger(box) || box < 1) {
    throw new HoldfastError(ErrorCode.usage, `not the number of a box: ${args.operand(0)}`, {
      next: "`holdfast seed status --data DIR` lists the boxes.",
    });
  }
  const dryRun = args.flag("dry-run");
  const { needs, waiting } = await withAdmin(context, ({ imports }) => imports.abandon(box, dryRun));
  for (const { snapshot, chunks, ids } of waiting) {
    output.line(
      `Snapshot ${snapshot.slice(0, 16)} lacks ${formatCount(chunks, "chunk")}: ${ids.map((id) => id.slice(0, 16)).join(" ")}${chunks > ids.length ? " ..." : ""}`,
    );
  }
  output.line(
    dryRun
      ? `Box ${box} would be given up; ${formatCount(waiting.length, "snapshot")} would wait for agents.`
      : `Box ${box} is given up. ${formatCount(needs, "chunk")} are needed: the agents' next runs send what they still have.`,
  );
  output.event({ event: "done", dry_run: dryRun, box, needs, waiting });
}
