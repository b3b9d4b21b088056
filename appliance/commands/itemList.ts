// holdfast item list

import type { DefinedItemAnswer } from "../../gateway/admin/itemOperations.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { formatBytes, formatCount } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { parseItemScope, scheduleText, takesText } from "../itemChanges.ts";
import { placeText } from "../retentionLines.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const scope = parseItemScope(args.operands[0]);
  const items = await withAdmin(context, (operations) => operations.items.list(scope));
  output.event(items);
  if (items.length === 0) {
    output.line(
      "No item has a definition. Make one: holdfast item add ACCOUNT/DEVICE/ITEM PATH --schedule RULE",
    );
    return;
  }
  const rows = items.map(
    ({ account, device, item, revision, definition, nextDue, received, report, estimate, from }) => [
      placeText([account, device, item]),
      String(revision),
      from === undefined ? "-" : `@${from.fleet}`,
      definition.enabled ? (nextDue ?? "-") : "disabled",
      received ?? (estimate === null ? "never" : `never; ${estimateText(estimate)}`),
      scheduleText(definition),
      takesText(definition),
      report === null ? "" : `${report.outcome}: ${report.message}`,
    ],
  );
  output.line(formatTable(["ITEM", "REV", "FROM", "NEXT DUE", "LAST", "SCHEDULE", "TAKES", "TOLD"], rows));
}

/** "about 12,345 files, 3.2 GiB" */
function estimateText({ files, bytes, complete }: NonNullable<DefinedItemAnswer["estimate"]>): string {
  return `${complete ? "about" : "at least"} ${formatCount(files, "file")}, ${formatBytes(bytes)}`;
}
