// holdfast seed stage-restore

import { userInfo } from "node:os";
import { resolve } from "node:path";
import type { StageProgress, StageReport, StageRequest } from "../../gateway/admin/stageOperations.ts";
import { settingsDefault } from "../../gateway/settings.ts";
import { pathToText } from "../../vault/pathText.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatBytes, formatCount, formatDuration } from "../cli/units.ts";
import { assumedRates, estimateJson, estimateOf, estimateText, rateOf } from "../estimate.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { newBoxKey } from "../newBoxKey.ts";
import { shellWord } from "../shellWord.ts";
import { parseSnapshotPath } from "../snapshotPath.ts";
import { whenStopped } from "../whenStopped.ts";

const labels: Readonly<Record<StageProgress["phase"], string>> = {
  choosing: "following the snapshots",
  finding: "finding their records",
  copying: "copying",
};

export async function run(context: CommandContext): Promise<void> {
  const { args, output, signal, nowMs } = context;
  const directory = resolve(args.operand(0));
  const name = args.text("name");
  const written = args.operands.slice(1);
  const request: StageRequest = {
    directory,
    snapshots: written.map(snapshotOf),
    listen: args.text("listen") ?? settingsDefault.listen,
    urls: args.texts("url"),
    by: args.text("by") ?? userInfo().username,
    need: args.texts("need").map((file) => resolve(file)),
    ...(name === undefined ? {} : { name }),
  };
  let begun = false;
  const onProgress = ({ phase, records, recordsDone, bytes, bytesDone }: StageProgress): void => {
    output.progress({
      ...{ label: labels[phase], unit: "record", files: recordsDone },
      ...(records === null ? {} : { total_files: records }),
      ...(phase === "copying" ? { bytes: bytesDone, total_bytes: bytes } : {}),
    });
  };
  const next = (): string =>
    begun
      ? "What was copied by then is there: the same command, for the same snapshots, goes on."
      : "No box was made.";
  await whenStopped(context, next, () =>
    withAdmin(context, async ({ staging }) => {
      // First without a key: what is wrong is said before anybody thinks of a passphrase.
      const planned = await staging.stage(
        { ...request, measure: args.flag("dry-run") },
        { onProgress, signal },
      );
      output.endProgress();
      show(context, planned);
      if (args.flag("dry-run")) return dryRun(context, planned);
      const key = await newBoxKey(context);
      const startedMs = nowMs();
      begun = true;
      const report = await staging.stage({ ...request, key }, { onProgress, signal });
      output.endProgress();
      const seconds = Math.round(nowMs() - startedMs) / 1000;
      showBox(context, report.box!, written, seconds);
      output.event({
        event: "done",
        dry_run: false,
        directory,
        ...jsonOf(report),
        warnings: output.warnings,
        seconds,
      });
    }),
  );
}

function dryRun({ output }: CommandContext, planned: StageReport): void {
  const copying = estimateOf(planned.bytes, rateOf(planned.sample, "some of it", assumedRates.disk));
  output.line(
    `Copying: ${estimateText(copying)}; longer where the box's disk is slower than this gateway's.`,
  );
  output.event({
    ...{ event: "done", dry_run: true, ...jsonOf(planned), warnings: output.warnings },
    ...estimateJson(copying),
  });
}

/** @throws HoldfastError usage */
function snapshotOf(written: string): StageRequest["snapshots"][number] {
  const { snapshot, path } = parseSnapshotPath(written);
  return { snapshot, path: path.map((part) => pathToText(part)).join("/") };
}

function show(
  { output }: CommandContext,
  { snapshots, records, bytes, leftOut, lacking, freeBytes }: StageReport,
): void {
  for (const { id, device, item, received } of snapshots) {
    output.line(`Snapshot ${id.slice(0, 16)} of ${device}, ${item}, received ${received}`);
  }
  const left = leftOut === 0 ? "" : `; ${formatCount(leftOut, "record")} left out`;
  const free = freeBytes === null ? "" : `; ${formatBytes(freeBytes)} are free`;
  output.line(`${formatCount(records, "record")}, ${formatBytes(bytes)}${left}${free}.`);
  if (lacking === 0) return;
  for (const { id } of snapshots.filter(({ isLacking }) => isLacking)) {
    output.warn(
      "not all of it is here (on its way with a box, or damaged): parts of it will be missing",
      `snapshot ${id.slice(0, 16)}`,
    );
  }
}

function showBox(
  { output }: CommandContext,
  box: NonNullable<StageReport["box"]>,
  written: readonly string[],
  seconds: number,
): void {
  output.line(`Box ${box.number} is made in ${formatDuration(seconds)}. At the customer's site:`);
  output.line("  holdfast gateway run --data DISK --passphrase-file FILE");
  const from = `--gateway ${box.urls[0]} --fingerprint ${box.fingerprint}`;
  for (const snapshot of written) {
    output.line(`  holdfast agent restore ${shellWord(snapshot)} --target DIR ${from}`);
  }
}

function jsonOf({ leftOut, freeBytes, snapshots, sample: _sample, ...report }: StageReport): object {
  return {
    ...report,
    snapshots: snapshots.map(({ isLacking, ...snapshot }) => ({ ...snapshot, lacking: isLacking })),
    left_out: leftOut,
    free_bytes: freeBytes,
  };
}
