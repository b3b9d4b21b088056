// Garbage collection as lines for people.

import type { GcVault } from "../gateway/admin/gcOperations.ts";
import type { GatewayStatus } from "../gateway/admin/operations.ts";
import type { GcPhase, GcPlan } from "../gateway/maintenance/gc/collection.ts";
import { formatBytes, formatCount } from "./cli/units.ts";
import { placeText } from "./retentionLines.ts";

/** What is being done, and what of it is counted; empty: bytes. */
export const gcPhaseWords: Readonly<Record<GcPhase, { readonly label: string; readonly unit: string }>> = {
  leaving: { label: "emptying the trash", unit: "snapshot" },
  marking: { label: "marking", unit: "record" },
  counting: { label: "counting", unit: "record" },
  sweeping: { label: "sweeping", unit: "record" },
  removing: { label: "removing", unit: "pack" },
  repacking: { label: "writing packs anew", unit: "" },
};

/** What a vault's collection found. */
export function planText(plan: GcPlan, dryRun: boolean): string {
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
  if (plan.mergePacks > 0) {
    parts.push(
      `${formatCount(plan.mergePacks, "small pack")} ${will} be merged (${formatBytes(plan.mergeCopyBytes)} copied)`,
    );
  }
  if (plan.evictedDeadBytes > 0) {
    parts.push(`${formatBytes(plan.evictedDeadBytes)} in packs that are in replicas alone stay (--evicted)`);
  }
  return parts.join("; ");
}

/** What it did. */
export function doneText({ freedBytes, leftPacks, waitingPacks, ...packs }: GcVault): string {
  const { removedPacks, repackedPacks, mergedPacks } = packs;
  const done = `${formatCount(removedPacks, "pack")} removed, ${repackedPacks} written anew, ${mergedPacks} merged`;
  const later = [
    ...(leftPacks > 0 ? [`${leftPacks} left for another run by --budget or --for`] : []),
    ...(waitingPacks > 0 ? [`${waitingPacks} wait for a run of their replica`] : []),
  ];
  return `${freedText(freedBytes)}: ${[done, ...later].join(", ")}.`;
}

/** The last one by schedule, and the one that runs. */
export function gcLines({ everyHours, at, failed, freedBytes, held, now }: GatewayStatus["gc"]): string[] {
  const lines: string[] = [];
  if (everyHours > 0 && at !== null) {
    const passedOver = held > 0 ? `, ${formatCount(held, "vault")} passed over` : "";
    lines.push(`Garbage collected by schedule: ${at}, ${failed ?? `${freedText(freedBytes)}${passedOver}`}`);
  }
  if (now !== null) {
    const { by, dryRun, started, progress } = now;
    const who = by === "schedule" ? "by schedule" : `by an administrator${dryRun ? " (dry run)" : ""}`;
    lines.push(
      `Garbage is being collected ${who} since ${started}${progress === null ? "" : progressText(progress)}`,
    );
  }
  return lines;
}

function progressText({
  account,
  vault,
  phase,
  done,
  total,
}: NonNullable<NonNullable<GatewayStatus["gc"]["now"]>["progress"]>): string {
  const share = total > 0 ? `, ${Math.floor((100 * done) / total)}%` : "";
  return `: ${placeText([account, vault])}, ${gcPhaseWords[phase].label}${share}`;
}

function freedText(bytes: number): string {
  return bytes < 0 ? `${formatBytes(-bytes)} more taken for now` : `${formatBytes(bytes)} freed`;
}
