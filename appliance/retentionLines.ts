// Policies, verdicts and snapshots as lines for people.

import type { SnapshotAnswer } from "../gateway/admin/retentionOperations.ts";
import { periods, type RetentionPolicy } from "../gateway/maintenance/retention/policy.ts";
import type { Reason } from "../gateway/maintenance/retention/verdicts.ts";
import type { CommandContext } from "./cli/command.ts";
import { formatTable } from "./cli/output/table.ts";

/** The digits of an id that people write. */
export const shownId = (id: string): string => id.slice(0, 16);

/** A span as people write it: "14d", "36h", "90s". */
export function spanText(seconds: number): string {
  for (const [unit, length] of [
    ["d", 86_400],
    ["h", 3600],
    ["m", 60],
  ] as const) {
    if (seconds % length === 0 && seconds > 0) return `${seconds / length}${unit}`;
  }
  return `${seconds}s`;
}

/** "last 3, daily 14, within 2d, tag x (Europe/Vienna; 14d in the trash)" */
export function policyText(policy: RetentionPolicy): string {
  const { last, withinSeconds, tags, timeZone, trashSeconds } = policy;
  const rules = [
    ...(last > 0 ? [`last ${last}`] : []),
    ...periods.filter((period) => policy[period] > 0).map((period) => `${period} ${policy[period]}`),
    ...(withinSeconds > 0 ? [`within ${spanText(withinSeconds)}`] : []),
    ...tags.map((tag) => `tag ${tag}`),
  ];
  return `${rules.join(", ")} (${timeZone}; ${spanText(trashSeconds)} in the trash)`;
}

/** Why a snapshot stays, "goes: no rule keeps it" for none. */
export function reasonsText(reasons: readonly Reason[]): string {
  return reasons.length === 0 ? "goes: no rule keeps it" : `stays: ${reasons.map(reasonText).join(", ")}`;
}

function reasonText(reason: Reason): string {
  switch (reason.rule) {
    case "held":
      return reason.because === "found"
        ? "held by guard"
        : "held by guard, which has not looked at the newest one yet";
    case "newest":
      return "the newest";
    case "newest-complete":
      return "the newest complete one";
    case "unfinished":
      return "part of a backup that goes on";
    case "within":
      return "within the span";
    case "pinned":
      return "pinned";
    case "tag":
      return `tag ${reason.tag}`;
    case "last":
      return `last ${reason.number} of ${reason.of}`;
    default:
      return `${reason.rule} ${reason.number} of ${reason.of} (${reason.period})`;
  }
}

/** A vault's, device's or item's names as a path. */
export function placeText(names: readonly (string | null)[]): string {
  return names.filter((name) => name !== null).join("/");
}

/** Prints snapshots with what an administrator noted of them. */
export function printSnapshots({ output }: CommandContext, rows: readonly SnapshotAnswer[]): void {
  const lines = rows.map(({ id, received, account, vault, device, item, incomplete, pin, tags }) => [
    shownId(id),
    received,
    placeText([account, vault, device, item]),
    [
      ...(incomplete ? ["incomplete"] : []),
      ...(pin === null ? [] : [pin.reason === "" ? "pinned" : `pinned: ${pin.reason}`]),
      ...(tags.length > 0 ? [`tags: ${tags.join(", ")}`] : []),
    ].join("; "),
  ]);
  output.line(formatTable(["SNAPSHOT", "RECEIVED", "ITEM", "NOTES"], lines));
}

/** --device and --item. */
export function itemOf({ args }: CommandContext): { device?: string; item?: string } {
  const [device, item] = [args.text("device"), args.text("item")];
  return { ...(device !== undefined && { device }), ...(item !== undefined && { item }) };
}

/** --account, --device and --item. */
export function scopeOf(context: CommandContext): { account?: string; device?: string; item?: string } {
  const account = context.args.text("account");
  return { ...(account !== undefined && { account }), ...itemOf(context) };
}
