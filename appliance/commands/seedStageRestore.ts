// holdfast seed stage-restore

import { userInfo } from "node:os";
import { resolve } from "node:path";
import type { StageProgress, StageReport } from "../../gateway/admin/stageOperations.ts";
import { settingsDefault } from "../../gateway/settings.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatBytes, formatCount, formatDuration } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { newBoxKey } from "../newBoxKey.ts";
import { shellWord } from "../shellWord.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output, signal, nowMs } = context;
  const startedMs = nowMs();
  const directory = resolve(args.operand(0));
  const name = args.text("name");
  const need = args.text("need");
  const request = {
    directory,
    snapshots: args.operands.slice(1).map(snapshotOf),
    listen: args.text("listen") ?? settingsDefault.listen,
    urls: args.texts("url"),
    by: args.text("by") ?? userInfo().username,
    ...(name === undefined ? {} : { name }),
    ...(need === undefined ? {} : { need: resolve(need) }),
  };
  const onProgress = ({ records, recordsDone, bytes, bytesDone }: StageProgress): void =>
    output.progress({
      label: "copying",
      files: recordsDone,
      total_files: records,
      bytes: bytesDone,
      total_bytes: bytes,
    });
  await withAdmin(context, async ({ staging }) => {
    // First without a key: what is wrong is said before anybody thinks of a passphrase.
    const planned = await staging.stage(request, { onProgress, signal });
    show(context, planned);
    if (args.flag("dry-run")) return output.event({ event: "done", dry_run: true, ...jsonOf(planned) });
    const key = await newBoxKey(context);
    const report = await staging.stage({ ...request, key }, { onProgress, signal });
    output.endProgress();
    const seconds = Math.round(nowMs() - startedMs) / 1000;
    const box = report.box!;
    output.line(
      `Box ${box.number} is made in ${directory} in ${formatDuration(seconds)}. At the customer's site:`,
    );
    output.line(`  holdfast gateway run --data ${shellWord(directory)} --passphrase-file FILE`);
    const from = `--gateway ${box.urls[0] ?? "https://HOST:PORT"} --fingerprint ${box.fingerprint}`;
    for (const { id } of report.snapshots)
      output.line(`  holdfast agent restore ${id.slice(0, 16)} --target DIR ${from}`);
    output.event({
      event: "done",
      dry_run: false,
      directory,
      ...jsonOf(report),
      warnings: output.warnings,
      seconds,
    });
  });
}

function snapshotOf(text: string): { snapshot: string; path: string } {
  const colon = text.indexOf(":");
  return colon < 0
    ? { snapshot: text, path: "" }
    : { snapshot: text.slice(0, colon), path: text.slice(colon + 1) };
}

function show(
  { output }: CommandContext,
  { snapshots, records, bytes, leftOut, lacking }: StageReport,
): void {
  for (const { id, device, item, received } of snapshots) {
    output.line(`Snapshot ${id.slice(0, 16)} of ${device}, ${item}, received ${received}`);
  }
  output.line(
    `${formatCount(records, "record")}, ${formatBytes(bytes)}${leftOut > 0 ? `; ${formatCount(leftOut, "record")} left out` : ""}.`,
  );
  if (lacking > 0)
    output.warn(
      `${formatCount(lacking, "record")} of these snapshots are not here: parts of them will be missing`,
    );
}

function jsonOf({ leftOut, ...report }: StageReport): object {
  return { ...report, left_out: leftOut };
}
