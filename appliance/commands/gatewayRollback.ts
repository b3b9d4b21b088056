// holdfast gateway rollback

import { rollBack } from "../../gateway/upgrade/upgradeDataDir.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatCount } from "../cli/units.ts";
import { dataOf } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const data = dataOf(context);
  const dryRun = args.flag("dry-run");
  const { copy, newerFiles } = await rollBack(data, dryRun);
  output.event({ event: "done", dry_run: dryRun, ...copy, newer_files: newerFiles });
  const { from, to, at } = copy;
  output.line(
    `${data} ${dryRun ? "would go" : "went"} back from format ${to} to ${from}, as it was at ${at}.`,
  );
  if (newerFiles === 0) return;
  const written = formatCount(newerFiles, "file");
  output.line(
    `${written} of packs and snapshots came since. With the older version, before anything else: holdfast gateway rebuild-index --data ${data}`,
  );
}
