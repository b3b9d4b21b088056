// holdfast gateway trash

import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { placeText, scopeOf, shownId } from "../retentionLines.ts";

export async function run(context: CommandContext): Promise<void> {
  const { output } = context;
  const rows = await withAdmin(context, ({ retention }) => retention.snapshots(scopeOf(context), true));
  output.event(rows);
  if (rows.length === 0) return output.line("The trash is empty.");
  const lines = rows.flatMap(({ id, received, account, vault, device, item, trash }) =>
    trash === null
      ? []
      : [
          [
            ...[shownId(id), received, placeText([account, vault, device, item])],
            ...[trash.at, trash.until, `${trash.by}: ${trash.reason}`],
          ],
        ],
  );
  output.line(formatTable(["SNAPSHOT", "RECEIVED", "ITEM", "MOVED", "KEPT UNTIL", "BY"], lines));
}
