// holdfast account remove

import { gatewayRuns } from "../../gateway/admin/removalOperations.ts";
import type { Deletion } from "../../vault/deletion.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { askYes } from "../cli/password.ts";
import { formatBytes, formatCount } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { shellWord } from "../shellWord.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output, signal } = context;
  const name = args.operand(0);
  await withAdmin(context, async ({ removals }, running) => {
    const plan = await removals.plan(name);
    if (args.flag("dry-run")) {
      output.event({ event: "done", dry_run: true, ...plan });
      output.line(`Would go: ${sizeOf(plan)}.`);
      sayRemains(context, plan);
      return;
    }
    if (running) throw gatewayRuns();
    if (!args.flag("yes")) {
      output.note(`Account ${name} goes for good: ${sizeOf(plan)}.`);
      if (!(await askYes("Remove it?", signal, "Add --yes."))) {
        throw new HoldfastError(ErrorCode.cancelled, "nothing was removed");
      }
    }
    const deletion = await removals.remove(name);
    output.event({ event: "done", ...deletion });
    output.line(`Account ${name} is removed: keys first, then ${sizeOf(deletion)}.`);
    output.line("The signed statement: holdfast account removals");
    sayRemains(context, deletion);
  });
}

function sizeOf({ vaults, devices }: Pick<Deletion, "vaults" | "devices">): string {
  const sum = (of: "snapshots" | "packs" | "bytes"): number =>
    vaults.reduce((all, each) => all + each[of], 0);
  const keys = vaults.reduce((all, each) => all + each.keys.length, 0);
  return (
    `${formatCount(vaults.length, "vault")} with ${formatCount(sum("snapshots"), "snapshot")}, ` +
    `${formatCount(sum("packs"), "pack")} (${formatBytes(sum("bytes"))}), ${formatCount(keys, "keys document")}, ` +
    `${formatCount(devices, "device")}`
  );
}

/** By design, and what somebody still has to do. */
function sayRemains({ output }: CommandContext, { remains }: Pick<Deletion, "remains">): void {
  for (const { replica, url, vaults } of remains) {
    output.note(
      url.startsWith("https:")
        ? `Replica ${replica} keeps its copy, keys documents included: its administrator deletes ${vaults.map((id) => `vaults/${id}`).join(", ")} of this gateway's peer there.`
        : `Replica ${replica} keeps its copy, keys documents included, until: holdfast replica erase ${shellWord(replica)}`,
    );
  }
}
