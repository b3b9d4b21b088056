// holdfast gateway gc

import type { GcVault } from "../../gateway/admin/gcOperations.ts";
import type { GcHeld, GcPlan, GcProgress } from "../../gateway/maintenance/gc/collection.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatCount } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { doneText, gcPhaseWords, planText } from "../gcLines.ts";
import { placeText } from "../retentionLines.ts";

const reasons: Readonly<Record<GcHeld, string>> = {
  "box-open": "a box is on its way; see holdfast seed status",
  held: "run this again when that has ended",
  damaged: "nothing is freed where something is missing; see holdfast gateway scrub",
};

export async function run(context: CommandContext): Promise<void> {
  const { args, output, signal, nowMs } = context;
  if (args.flag("stop")) return await stop(context);
  const startedMs = nowMs();
  const dryRun = args.flag("dry-run");
  const told = new Set<string>();
  const tellPlan = (where: string, plan: GcPlan): void => {
    if (told.has(where)) return;
    told.add(where);
    output.line(`${where}: ${planText(plan, dryRun)}`);
  };
  const onProgress = ({ account, vault, phase, done, total, plan }: GcProgress): void => {
    if (plan !== null) tellPlan(placeText([account, vault]), plan);
    const { label, unit } = gcPhaseWords[phase];
    const totals = total > 0 ? { total } : {};
    output.progress(
      phase === "repacking"
        ? { label, bytes: done, ...(total > 0 && { total_bytes: total }) }
        : { label, files: done, unit, ...(totals.total !== undefined && { total_files: totals.total }) },
    );
  };
  const account = args.text("account");
  const request = {
    ...(account !== undefined && { account }),
    dryRun,
    evicted: args.flag("evicted"),
    budgetBytes: args.bytes("budget") ?? null,
    forSeconds: args.duration("for") ?? null,
  };
  const { vaults, held } = await withAdmin(context, (operations) =>
    operations.gc(request, { onProgress, signal }),
  );
  output.endProgress();
  for (const each of vaults) {
    const where = placeText([each.account, each.vault]);
    tellPlan(where, each.plan);
    if (!dryRun) output.line(`${where}: ${doneText(each)}`);
    if (each.damagedPacks > 0) {
      output.warn(
        `${where}: ${formatCount(each.damagedPacks, "pack")} could not be written anew; holdfast gateway scrub looks at them`,
      );
    }
  }
  for (const { account, vault, why, message } of held) {
    output.warn(`${placeText([account, vault])}: nothing goes: ${message}; ${reasons[why]}`);
  }
  const sum = (of: (vault: GcVault) => number): number => vaults.reduce((total, each) => total + of(each), 0);
  output.event({
    event: "done",
    dry_run: dryRun,
    freed_bytes: sum((vault) => vault.freedBytes),
    copied_bytes: sum((vault) => vault.copiedBytes),
    records: sum((vault) => vault.records),
    removed_packs: sum((vault) => vault.removedPacks),
    repacked_packs: sum((vault) => vault.repackedPacks),
    merged_packs: sum((vault) => vault.mergedPacks),
    snapshots: sum(({ plan }) => plan.snapshots),
    vaults: vaults.map(vaultJson),
    held,
    seconds: Math.round(nowMs() - startedMs) / 1000,
  });
}

async function stop(context: CommandContext): Promise<void> {
  const { output } = context;
  const ran = await withAdmin(context, (operations) => operations.stopGc());
  output.event({ event: "done", ran });
  output.line(ran ? "It stops; the next run goes on." : "Nothing is being collected.");
}

function vaultJson(vault: GcVault): Record<string, unknown> {
  const { plan } = vault;
  return {
    account: vault.account,
    vault: vault.vault,
    plan: {
      snapshots: plan.snapshots,
      live_records: plan.liveRecords,
      dead_records: plan.deadRecords,
      dead_packs: plan.deadPacks,
      dead_pack_bytes: plan.deadPackBytes,
      repack_packs: plan.repackPacks,
      repack_copy_bytes: plan.repackCopyBytes,
      repack_free_bytes: plan.repackFreeBytes,
      merge_packs: plan.mergePacks,
      merge_copy_bytes: plan.mergeCopyBytes,
      evicted_dead_bytes: plan.evictedDeadBytes,
    },
    refs: vault.refs,
    records: vault.records,
    removed_packs: vault.removedPacks,
    repacked_packs: vault.repackedPacks,
    merged_packs: vault.mergedPacks,
    copied_bytes: vault.copiedBytes,
    freed_bytes: vault.freedBytes,
    damaged_packs: vault.damagedPacks,
    left_packs: vault.leftPacks,
    waiting_packs: vault.waitingPacks,
  };
}
