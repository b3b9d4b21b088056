// holdfast replica run

import type { ReplicaRunProgress } from "../../gateway/admin/replicaOperations.ts";
import type { JobProgress, RunReport } from "../../gateway/replica/job/replicationStatus.ts";
import { HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatBytes, formatCount, formatDuration } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";

type NamedReport = RunReport & { readonly replica: string };

export async function run(context: CommandContext): Promise<void> {
  const { args, output, signal, nowMs } = context;
  const startedMs = nowMs();
  const takeOver = args.flag("take-over");
  const progress = new Map<string, JobProgress>();
  const onProgress = (told: ReplicaRunProgress): void => {
    progress.set(told.vault, told.progress);
    const sum = (of: (each: JobProgress) => number): number =>
      [...progress.values()].reduce((total, each) => total + of(each), 0);
    output.progress({
      label: "replicating",
      unit: "pack",
      files: sum(({ packsDone }) => packsDone),
      total_files: sum(({ packsDone, packsLeft }) => packsDone + packsLeft),
      bytes: sum(({ bytesDone }) => bytesDone),
      total_bytes: sum(({ bytesDone, bytesLeft }) => bytesDone + bytesLeft),
    });
  };
  const reports = await withAdmin(context, async ({ replicas }) => {
    const names = args.operands[0] ?? (await replicas.status()).map(({ replica }) => replica.name);
    const all: NamedReport[] = [];
    for (const name of [names].flat()) {
      const { reports } = await replicas.run({ name, takeOver }, { onProgress, signal });
      all.push(...reports.map((each) => ({ ...each, replica: name })));
    }
    return all;
  });
  output.endProgress();
  report(context, reports, Math.round(nowMs() - startedMs) / 1000);
}

function report({ output }: CommandContext, reports: readonly NamedReport[], seconds: number): void {
  const sum = (of: (each: RunReport) => number): number =>
    reports.reduce((total, each) => total + of(each), 0);
  const packs = sum((each) => each.packs);
  const bytes = sum((each) => each.bytes);
  const snapshots = sum((each) => each.snapshots);
  for (const { vault, unsent } of reports) {
    for (const { pack, message } of unsent)
      output.warn(`pack ${pack} of vault ${vault} cannot be sent: ${message}`);
  }
  const failed = reports.find(({ failure }) => failure !== null)?.failure;
  // A run that failed does not count what it sent before that.
  if (failed == null || packs + snapshots > 0) {
    output.line(
      `Sent ${formatCount(packs, "pack")} (${formatBytes(bytes)}) and ${formatCount(snapshots, "snapshot")} in ${formatDuration(seconds)}.`,
    );
  }
  if (failed != null) {
    throw new HoldfastError(failed.code, failed.message, failed.next === null ? {} : { next: failed.next });
  }
  output.event({
    event: "done",
    packs,
    bytes,
    snapshots,
    vaults: reports.map((each) => ({
      replica: each.replica,
      vault: each.vault,
      generation: each.generation,
      requests: each.usage.requests,
    })),
    warnings: output.warnings,
    seconds,
  });
}
