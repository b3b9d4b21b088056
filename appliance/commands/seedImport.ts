// holdfast seed import

import { resolve } from "node:path";
import type { ImportProgress, ImportReport } from "../../gateway/admin/importOperations.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatBytes, formatCount, formatDuration } from "../cli/units.ts";
import { assumedRates, estimateJson, estimateOf, estimateText, rateOf } from "../estimate.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { whenStopped } from "../whenStopped.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output, signal, nowMs } = context;
  const startedMs = nowMs();
  const dryRun = args.flag("dry-run");
  const box = args.integer("box");
  const request = {
    sources: args.operands.map((source) => (/^https:/.test(source) ? source : resolve(source))),
    ...(box === undefined ? {} : { box }),
    finish: args.flag("finish"),
    dryRun,
  };
  const onProgress = ({ packsDone, packs, bytesDone, bytes }: ImportProgress): void =>
    output.progress({
      label: dryRun ? "comparing" : "importing",
      unit: "pack",
      files: packsDone,
      total_files: packs,
      bytes: bytesDone,
      total_bytes: bytes,
    });
  const report = await whenStopped(
    context,
    () =>
      dryRun
        ? "Nothing was changed."
        : "What was taken by then counts: the same command goes on, and does not read it again.",
    () => withAdmin(context, ({ imports }) => imports.run(request, { onProgress, signal })),
  );
  output.endProgress();
  tell(context, report, dryRun);
  const seconds = Math.round(nowMs() - startedMs) / 1000;
  if (!dryRun) output.line(`Done in ${formatDuration(seconds)}.`);
  const looked = { bytes: report.readBytes, seconds };
  const taking = estimateOf(report.readBytes, rateOf(looked, "this look", assumedRates.disk));
  if (dryRun) {
    output.line(
      `Taking it reads the same once more, and writes it: ${estimateText(taking)}; longer where this gateway's disk is slower than the box's.`,
    );
  }
  output.event({
    ...{ event: "done", dry_run: dryRun, ...jsonOf(report), warnings: output.warnings, seconds },
    ...(dryRun ? estimateJson(taking) : {}),
  });
}

function tell({ output }: CommandContext, report: ImportReport, dryRun: boolean): void {
  const { box, outcomes, takenBytes, left, leftPacks, strays, refused, snapshots, whole, needs, receipt } =
    report;
  const taken = outcomes.kept + outcomes.merged;
  output.line(
    `Box ${box}, seal ${report.seal}: ${formatCount(report.packs, "pack")}, ${formatBytes(report.packBytes)} on its manifest.`,
  );
  output.line(
    `${dryRun ? "Would take" : "Taken"}: ${formatCount(taken, "pack")}${takenBytes > 0 ? ` (${formatBytes(takenBytes)}${dryRun ? "" : " in this run"})` : ""}; ` +
      `${formatCount(outcomes.present, "pack")} had nothing new.`,
  );
  for (const { pack, why } of leftPacks) output.warn(why, `pack ${pack}`);
  if (left > 0) {
    const next =
      receipt === null
        ? "Name another source that has them, or add --finish."
        : "Agents send what they held.";
    output.warn(`${formatCount(left, "pack")} could not be taken. ${next}`);
  }
  if (strays.length > 0)
    output.warn(`left alone, since the manifest does not list them: ${strays.join(", ")}`);
  if (refused > 0)
    output.warn(`${formatCount(refused, "record")} refer to what is neither here nor on the manifest`);
  if (dryRun) return;
  output.line(
    `${whole} of ${formatCount(snapshots, "snapshot")} of the box ${whole === 1 ? "is" : "are"} whole${needs > 0 ? `; ${formatCount(needs, "chunk")} needed from agents` : ""}.`,
  );
  if (receipt === null) return;
  output.line(`Receipt: ${receipt}`);
  if (left === 0 && needs === 0 && whole === snapshots) output.line("Nothing more is expected of its disk.");
}

function jsonOf(report: ImportReport): object {
  const { packBytes, takenBytes, readBytes, leftPacks, ...rest } = report;
  return {
    ...rest,
    pack_bytes: packBytes,
    taken_bytes: takenBytes,
    read_bytes: readBytes,
    left_packs: leftPacks,
  };
}
