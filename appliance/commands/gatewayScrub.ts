// holdfast gateway scrub

import type { ScrubProgress } from "../../gateway/maintenance/scrub.ts";
import type { ScrubProblem } from "../../gateway/maintenance/scrubOne.ts";
import { statusRowsMax } from "../../gateway/maintenance/scrubStatus.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { formatBytes, formatCount } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output, signal, nowMs } = context;
  if (args.flag("status")) return await showStatus(context);
  const startedMs = nowMs();
  const onProgress = ({ packs, packsTotal, bytes, bytesTotal }: ScrubProgress): void =>
    output.progress({
      label: "scrubbing",
      unit: "pack",
      files: packs,
      total_files: packsTotal,
      bytes,
      total_bytes: bytesTotal,
    });
  const request = {
    heal: !args.flag("no-heal"),
    fromStart: args.flag("from-start"),
    limit: args.text("limit") ?? "",
  };
  const result = await withAdmin(context, (operations) => operations.scrub(request, { onProgress, signal }));
  output.endProgress();
  const healed = result.problems.filter(({ healedFrom }) => healedFrom !== null);
  const open = result.problems.filter(({ healedFrom }) => healedFrom === null);
  for (const problem of result.problems) {
    const { healedFrom, notHealed, ...found } = problem;
    output.event({ event: "problem", ...found, healed_from: healedFrom, not_healed: notHealed });
  }
  for (const problem of healed) output.warn(`${what(problem)}; healed from replica ${problem.healedFrom}`);
  for (const problem of open) output.fault(`${what(problem)}; not healed: ${problem.notHealed}`);
  output.line(
    `Scrubbed ${formatCount(result.packs, "pack")} (${formatBytes(result.bytes)}) and ` +
      `${formatCount(result.snapshots, "snapshot")}: ${formatCount(result.problems.length, "problem")}, ` +
      `${healed.length} healed.`,
  );
  if (open.length > 0) {
    throw new HoldfastError(
      ErrorCode.chunkDamaged,
      `${formatCount(open.length, "pack or snapshot", "packs or snapshots")} damaged, and no good copy to be had`,
      {
        next: "Look at the disk. `agent check` on the devices says which files are hurt; `agent backup --rescan` sends what the source still has.",
      },
    );
  }
  output.event({
    event: "done",
    packs: result.packs,
    bytes: result.bytes,
    snapshots: result.snapshots,
    problems: result.problems.length,
    healed: healed.length,
    seconds: Math.round(nowMs() - startedMs) / 1000,
  });
}

/** Packs that are listed for people. */
const shownRows = 20;

async function showStatus(context: CommandContext): Promise<void> {
  const { output } = context;
  const status = await withAdmin(context, (operations) =>
    operations.scrubStatus(output.json ? statusRowsMax : shownRows),
  );
  for (const { vault, packs, bytes, unread, damaged, oldest } of status.vaults) {
    output.event({ event: "vault", vault, packs, bytes, unread, damaged, oldest });
    output.line(
      `Vault ${vault}: ${formatCount(packs, "pack")} (${formatBytes(bytes)}), ${unread} not read since they were written, ` +
        `${damaged} damaged; the longest wait is since ${oldest ?? "a time that is not known"}.`,
    );
  }
  for (const { vault, pack, state, bytes, by, at, sound } of status.packs) {
    output.event({ event: "pack", vault, pack, state, bytes, by, at, sound });
  }
  const rows = status.packs.map(({ pack, bytes, by, at, sound }) => [
    pack.slice(0, 16),
    formatBytes(bytes),
    at ?? "never",
    by,
    sound ? "" : "DAMAGED",
  ]);
  if (rows.length > 0) output.line(formatTable(["PACK", "SIZE", "LAST LOOKED AT", "BY", ""], rows));
  output.line(
    status.everyDays === 0
      ? "A running gateway does not scrub by itself (scrub-every-days is 0)."
      : `A running gateway looks at every pack within ${status.everyDays} days, at ${status.rate === "" ? "any rate" : status.rate}.`,
  );
  output.event({ event: "done", every_days: status.everyDays, rate: status.rate });
}

function what({ kind, name, condition, why }: ScrubProblem): string {
  return `${kind} ${name.slice(0, 16)} is ${condition}: ${why}`;
}
