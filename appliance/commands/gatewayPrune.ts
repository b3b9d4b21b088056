// holdfast gateway prune

import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { formatCount } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { placeText, reasonsText, scopeOf, shownId } from "../retentionLines.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const dryRun = args.flag("dry-run");
  const result = await withAdmin(context, ({ retention }) =>
    retention.prune({ ...scopeOf(context), dryRun }),
  );
  for (const { account, vault, device, item, policy, snapshots } of result.items) {
    const isHeld = snapshots.some(({ reasons }) =>
      reasons.some((reason) => reason.rule === "held" && reason.because === "found"),
    );
    if (isHeld) {
      output.warn(
        `${placeText([account, vault, device, item])}: nothing goes while the guard holds it; see holdfast guard status`,
      );
    }
    const shown = dryRun ? snapshots : snapshots.filter(({ reasons }) => reasons.length === 0);
    if (shown.length === 0) continue;
    output.line(`${placeText([account, vault, device, item])} (policy of its ${policy})`);
    const rows = shown.map(({ id, received, incomplete, reasons }) => [
      shownId(id),
      received,
      incomplete ? "incomplete" : "",
      reasonsText(reasons),
    ]);
    output.line(formatTable(["SNAPSHOT", "RECEIVED", "", "VERDICT"], rows));
  }
  for (const { account, vault } of result.held) {
    output.warn(
      `${placeText([account, vault])}: nothing goes while a box is on its way; see holdfast seed status`,
    );
  }
  const { kept, trashed, without } = result;
  if (result.items.length === 0 && result.held.length === 0) {
    output.line(
      "No item has a policy, so everything stays. Set one: holdfast retention set ACCOUNT --daily 14",
    );
  } else {
    const verb = dryRun ? "would go" : "went";
    output.line(
      `${formatCount(trashed, "snapshot")} ${verb} to the trash, ${formatCount(kept, "snapshot")} ${kept === 1 ? "stays" : "stay"}.`,
    );
    if (without > 0) output.line(`${formatCount(without, "item")} without a policy: everything stays.`);
  }
  output.event({
    event: "done",
    dry_run: dryRun,
    kept,
    trashed,
    without,
    held: result.held,
    items: result.items,
  });
}
