// holdfast replica erase

import type { EraseProgress } from "../../gateway/removal/eraseRemains.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatBytes, formatCount } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output, signal } = context;
  const name = args.operand(0);
  const dryRun = args.flag("dry-run");
  const onProgress = ({ objects, bytes }: EraseProgress): void =>
    output.progress({ label: dryRun ? "looking" : "erasing", files: objects, bytes });
  const { vaults } = await withAdmin(context, ({ replicas }) =>
    replicas.erase({ name, dryRun }, { onProgress, signal }),
  );
  output.endProgress();
  if (vaults.length === 0) output.line(`Nothing of a removed account is in replica ${name}.`);
  for (const { account, vault, objects, keys, bytes, left } of vaults) {
    const what = `${formatCount(objects, "object")} (${formatBytes(bytes)}), ${formatCount(keys, "keys document")} among them`;
    output.line(`Account ${account}, vault ${vault}: ${what}${dryRun ? "" : ", erased"}.`);
    if (!dryRun && left > 0)
      output.warn(
        `of vault ${vault} ${formatCount(left, "object")} is there still: Object Lock holds it, or it came meanwhile; run this again later`,
      );
  }
  output.event({ event: "done", name, dry_run: dryRun, vaults, warnings: output.warnings });
}
