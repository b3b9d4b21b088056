// holdfast gateway gc

import type { GcVault } from "../../gateway/admin/gcOperations.ts";
import type { GcHeld, GcPhase, GcPlan, GcProgress } from "../../gateway/maintenance/gc/collection.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatBytes, formatCount } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { placeText } from "../retentionLines.ts";

const words: Readonly<Record<GcPhase, { readonly label: string; readonly unit: string }>> = {
  leaving: { label: "emptying the trash", unit: "snapshot" },
  marking: { label: "marking", unit: "record" },
  counting: { label: "counting", unit: "record" },
  sweeping: { label: "sweeping", unit: "record" },
  removing: { label: "removing", unit: "pack" },
  repacking: { label: "writing packs anew", unit: "" },
};

const reasons: Readonly<Record<GcHeld, string>> = {
  "box-open": "a box is on its way; see holdfast seed status",
  held: "run this again when that has ended",
  damaged: "nothing is freed where something is missing; see holdfast gateway scrub",
};

export async function run(context: CommandContext): Promise<void> {
  const { args, output, signal, nowMs } = context;
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
    const { label, unit } = words[phase];
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
    snapshots: sum(({ plan }) => plan.snapshots),
    vaults: vaults.map(vaultJson),
    held,
    seconds: Math.round(nowMs() - startedMs) / 1000,
  });
}

function planText(plan: GcPlan, dryRun: boolean): string {
  const { snapshots, deadRecords, deadPacks, deadPackBytes, repackPacks, repackCopyBytes } = plan;
  const will = dryRun ? "would" : "will";
  const parts = [
    `${formatCount(snapshots, "snapshot")} ${dryRun ? "would leave" : "left"} the trash for good`,
    `${formatCount(deadRecords, "record")} ${deadRecords === 1 ? "is" : "are"} not needed any more`,
    `${formatCount(deadPacks, "pack")} (${formatBytes(deadPackBytes)}) ${will} go`,
  ];
  if (repackPacks > 0) {
    parts.push(
      `${formatCount(repackPacks, "pack")} ${will} be written anew (${formatBytes(repackCopyBytes)} copied, ${formatBytes(plan.repackFreeBytes)} freed)`,
    );
  }
  if (plan.evictedDeadBytes > 0) {
    parts.push(`${formatBytes(plan.evictedDeadBytes)} in packs that are in replicas alone stay (--evicted)`);
  }
  return parts.join("; ");
}

function doneText({ freedBytes, removedPacks, repackedPacks, leftPacks, waitingPacks }: GcVault): string {
  const packs = `${formatCount(removedPacks, "pack")} removed, ${repackedPacks} written anew`;
  const later = [
    ...(leftPacks > 0 ? [`${leftPacks} left for another run by --budget or --for`] : []),
    ...(waitingPacks > 0 ? [`${waitingPacks} wait for a run of their replica`] : []),
  ];
  const freed =
    freedBytes < 0 ? `${formatBytes(-freedBytes)} more taken for now` : `${formatBytes(freedBytes)} freed`;
  return `${freed}: ${[packs, ...later].join(", ")}.`;
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
      evicted_dead_bytes: plan.evictedDeadBytes,
    },
    refs: vault.refs,
    records: vault.records,
    removed_packs: vault.removedPacks,
    repacked_packs: vault.repackedPacks,
    copied_bytes: vault.copiedBytes,
    freed_bytes: vault.freedBytes,
    damaged_packs: vault.damagedPacks,
    left_packs: vault.leftPacks,
    waiting_packs: vault.waitingPacks,
  };
}
