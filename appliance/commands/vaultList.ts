// holdfast vault list

import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { formatDuration } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";

function stateText(unlocked: boolean, seconds: number | null): string {
  if (!unlocked) return "locked";
  return seconds === null ? "unlocked" : `unlocked for ${formatDuration(seconds)}`;
}

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const vaults = await withAdmin(context, (operations) => operations.vaults(args.operands[0]));
  output.event(
    vaults.map(({ unlockedForSeconds, ...vault }) => ({
      ...vault,
      unlocked_for_seconds: unlockedForSeconds,
    })),
  );
  if (vaults.length === 0) return output.line("No vaults yet: an account comes with one.");
  const rows = vaults.map(({ account, name, unlocked, unlockedForSeconds, created, id }) => [
    `${account}/${name}`,
    stateText(unlocked, unlockedForSeconds),
    created,
    id,
  ]);
  return output.line(formatTable(["VAULT", "STATE", "CREATED", "ID"], rows));
}
