// holdfast seed abandon

import type { AbandonProgress } from "../../gateway/admin/importOperations.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatBytes, formatCount } from "../cli/units.ts";
import { assumedRates, durationText, estimateJson, estimateOf, estimateText, timeJson } from "../estimate.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { whenStopped } from "../whenStopped.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output, signal, nowMs } = context;
  const startedMs = nowMs();
  const box = Number(args.operand(0));
  if (!Number.isInteger(box) || box < 1) {
    throw new HoldfastError(ErrorCode.usage, `not the number of a box: ${args.operand(0)}`, {
      next: "`holdfast seed status --data DIR` lists the boxes.",
    });
  }
  const dryRun = args.flag("dry-run");
  const onProgress = ({ phase, snapshotsDone, snapshots }: AbandonProgress): void =>
    output.progress({
      ...{ label: phase === "ending" ? "giving up" : "counting what is needed", unit: "snapshot" },
      ...(snapshots === null ? {} : { files: snapshotsDone, total_files: snapshots }),
    });
  const report = await whenStopped(
    context,
    () => "Nothing was changed: the box is expected as before.",
    () => withAdmin(context, ({ imports }) => imports.abandon({ box, dryRun }, { onProgress, signal })),
  );
  output.endProgress();
  const { needs, waiting, lostBytes } = report;
  for (const { snapshot, chunks, ids } of waiting) {
    output.line(
      `Snapshot ${snapshot.slice(0, 16)} lacks at least ${formatCount(chunks, "chunk")}: ${ids.map((id) => id.slice(0, 16)).join(" ")}${chunks > ids.length ? " ..." : ""}`,
    );
  }
  output.line(
    dryRun
      ? `Box ${box} would be given up${lost(lostBytes)}. ${needed(needs, true)}; ${formatCount(waiting.length, "snapshot")} would wait for agents.`
      : `Box ${box} is given up${lost(lostBytes)}. ${needed(needs, false)}: the agents' next runs send what they still have.`,
  );
  const seconds = Math.round(nowMs() - startedMs) / 1000;
  const sending = estimateOf(lostBytes ?? 0, assumedRates.line);
  if (dryRun) {
    output.line(`Giving it up takes ${durationText(seconds)} (measured: this look, which counts the same).`);
    if (lostBytes !== null)
      output.line(`Agents then send up to ${formatBytes(lostBytes)}: ${estimateText(sending)}.`);
  }
  output.event({
    ...{ event: "done", dry_run: dryRun, box, needs, lost_bytes: lostBytes, waiting, seconds },
    ...(dryRun ? timeJson(seconds, "measured") : {}),
    ...(dryRun && lostBytes !== null ? { sending: { bytes: lostBytes, ...estimateJson(sending) } } : {}),
  });
}

function lost(bytes: number | null): string {
  return bytes === null ? ", whose manifest never came" : `: ${formatBytes(bytes)} of packs did not come`;
}

function needed(chunks: number | null, dryRun: boolean): string {
  if (chunks === null) return "What is needed was not counted";
  // What is below a record that is not here is known when it comes.
  return `At least ${formatCount(chunks, "chunk")} ${dryRun ? "would be" : chunks === 1 ? "is" : "are"} needed`;
}
