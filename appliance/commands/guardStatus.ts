// holdfast guard status

import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { holdLines } from "../guardLines.ts";
import { placeText, scopeOf } from "../retentionLines.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const all = args.flag("all");
  const answers = await withAdmin(context, ({ guard }) => guard.status(scopeOf(context), all));
  output.event(answers);
  const held = answers.filter(({ hold }) => hold !== null);
  if (held.length === 0) output.line("Nothing is held.");
  for (const line of held.flatMap(holdLines)) output.line(line);
  if (!all || answers.length === 0) return;
  const rows = answers.map(({ account, vault, device, item, snapshots, usual, thresholds }) => [
    placeText([account, vault, device, item]),
    thresholds.off ? "off" : String(snapshots),
    ...[usual.rewritten, usual.renamed, usual.vanished, usual.raw].map((value) =>
      value === null ? "-" : `${value} %`,
    ),
  ]);
  output.line(
    formatTable(["ITEM", "HISTORY", "USUAL: REWRITTEN UP TO", "RENAMED", "VANISHED", "RAW CONTENT"], rows),
  );
}
