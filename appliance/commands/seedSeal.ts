// holdfast seed seal

import { userInfo } from "node:os";
import { resolve } from "node:path";
import type { SeedOperations } from "../../gateway/admin/seedOperations.ts";
import { writeBundle } from "../../gateway/seed/seal/bundle.ts";
import type { ReopenProgress } from "../../gateway/seed/seal/reopenBox.ts";
import type { SealReport } from "../../gateway/seed/seal/sealBox.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatBytes, formatCount } from "../cli/units.ts";
import {
  assumedRates,
  durationText,
  estimateJson,
  estimateOf,
  estimateText,
  rateOf,
  timeJson,
} from "../estimate.ts";
import { dataOf, withAdmin } from "../gatewayAccess.ts";
import { whenStopped } from "../whenStopped.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output, signal, nowMs } = context;
  const startedMs = nowMs();
  const by = args.text("by") ?? userInfo().username;
  const dryRun = args.flag("dry-run");
  const bundle = args.text("manifest-out");
  if (args.flag("reopen")) return await reopen(context, by);
  await withAdmin(context, async ({ seed }) => {
    const onProgress = (progress: { packs: number; totalPacks: number; bytes: number; totalBytes: number }) =>
      output.progress({
        label: "reading",
        unit: "pack",
        files: progress.packs,
        total_files: progress.totalPacks,
        bytes: progress.bytes,
        total_bytes: progress.totalBytes,
      });
    const report = await whenStopped(
      context,
      () =>
        dryRun
          ? "Nothing was changed."
          : "The box is not sealed, and takes backups again. The same command goes on, and does not read again what was read.",
      () => seed.seal({ by, dryRun }, { onProgress, signal }),
    );
    output.endProgress();
    if (dryRun) return await tellPlan(context, seed, report);
    await show(context, report);
    if (bundle !== undefined) {
      await writeBundle(dataOf(context), resolve(bundle));
      output.line(
        `Manifest and lists are in ${bundle}: holdfast seed promise FILE --data DATA, at the datacentre.`,
      );
    }
    if (args.flag("offline") && bundle === undefined) {
      output.line(
        "The datacentre does not know of this: until it does, backups end with `home-behind`. Run this again with a line to there, or with --offline --manifest-out FILE.",
      );
    }
    const delivered = !args.flag("offline") && (await deliver(context, seed));
    const seconds = Math.round(nowMs() - startedMs) / 1000;
    output.event({
      event: "done",
      dry_run: false,
      ...jsonOf(report),
      delivered,
      warnings: output.warnings,
      seconds,
    });
  });
}

/** What lists have for each row, about (format.md, section 12). */
const rowBytes = { chunk: 8, pack: 48, snapshot: 400 };
const reopenSeconds = 2;

/** What a seal would read, and what it would send. */
async function tellPlan(
  { args, output }: CommandContext,
  seed: SeedOperations,
  report: SealReport,
): Promise<void> {
  if (report.already) output.line(`Box ${report.box} is sealed (seal ${report.seal}): ${onBoard(report)}.`);
  else output.line(`Would read and seal ${onBoard(report)}.`);
  const { sample } = report.leftBytes === 0 ? { sample: null } : await seed.readRate();
  const rate = rateOf(sample, formatCount(sample?.packs ?? 0, "pack"), assumedRates.disk);
  const reading = estimateOf(report.leftBytes, rate);
  if (report.leftBytes > 0) {
    output.line(`Reading ${formatBytes(report.leftBytes)}: ${estimateText(reading)}.`);
  }
  const { chunks, packs, snapshots } = report;
  const bytes = chunks * rowBytes.chunk + packs * rowBytes.pack + snapshots * rowBytes.snapshot;
  const sending = estimateOf(bytes, assumedRates.line);
  const isSent = !args.flag("offline");
  if (isSent) output.line(`Sending its lists, ${formatBytes(bytes)}: ${estimateText(sending)}.`);
  output.event({
    ...{ event: "done", dry_run: true, ...jsonOf(report), left_bytes: report.leftBytes },
    ...estimateJson(reading),
    ...(isSent ? { sending: { bytes, ...estimateJson(sending) } } : {}),
  });
}

async function reopen(context: CommandContext, by: string): Promise<void> {
  const { args, output, signal } = context;
  if (args.flag("dry-run")) {
    const { already } = await withAdmin(context, ({ seed }) =>
      seed.seal({ by, dryRun: true }, { onProgress: () => undefined, signal }),
    );
    if (!already)
      throw new HoldfastError(ErrorCode.usage, "the box is not sealed: it takes backups as it is");
    output.line("Would ask the datacentre to send the devices to this box again, and take backups.");
    output.line(
      `Nothing is read or sent but one request: ${durationText(reopenSeconds)} where the datacentre answers (assumed).`,
    );
    return output.event({ event: "done", dry_run: true, bytes: 0, ...timeJson(reopenSeconds, "assumed") });
  }
  const onProgress = ({ phase }: ReopenProgress): void =>
    output.progress({ label: phase === "asking" ? "asking the datacentre" : "opening", unit: "step" });
  const { box, seal } = await whenStopped(
    context,
    () =>
      "The box is sealed still. The same command opens it; `holdfast seed seal` without --reopen says again that it stays sealed.",
    () => withAdmin(context, ({ seed }) => seed.reopen(by, { onProgress, signal })),
  );
  output.endProgress();
  output.line(
    `Box ${box} takes backups again; what seal ${seal} promised stays promised until the next one.`,
  );
  return output.event({ event: "done", box, reopened: seal });
}

/** Sends the manifest. The box stays sealed where that fails. */
async function deliver({ output, signal }: CommandContext, seed: SeedOperations): Promise<boolean> {
  const onProgress = ({ bytes, totalBytes }: { bytes: number; totalBytes: number }): void =>
    output.progress({ label: "sending", unit: "list", bytes, total_bytes: totalBytes });
  try {
    const { url } = await seed.send({ onProgress, signal });
    output.endProgress();
    output.line(`The datacentre at ${url} has the manifest: the next backups there are increments.`);
    return true;
  } catch (error) {
    output.endProgress();
    output.line(
      "The box is sealed, but its manifest did not get to the datacentre. Running this again sends it.",
    );
    throw error;
  }
}

async function show({ output }: CommandContext, report: SealReport): Promise<void> {
  const { damaged, hurt, box, seal, code, already } = report;
  for (const { pack, why, vault } of damaged) {
    output.warn(`pack ${pack} of vault ${vault} is left off: ${why}`);
  }
  for (const { id, device, item } of hurt) {
    output.warn(`snapshot ${id.slice(0, 16)} of ${device}/${item} needs what is left off`);
  }
  const done = already ? "was sealed before" : "is sealed";
  output.line(`Box ${box} ${done} (seal ${seal}): ${onBoard(report)}.`);
  output.line(`Code: ${code}`);
  if (output.json || output.quiet) return;
  const { renderUnicodeCompact } = await import("uqr");
  output.line(renderUnicodeCompact(code, { border: 2 }));
}

function onBoard({ packs, packBytes, snapshots, chunks }: SealReport): string {
  return [
    `${formatCount(packs, "pack")} of ${formatBytes(packBytes)}`,
    formatCount(snapshots, "snapshot"),
    formatCount(chunks, "chunk"),
  ].join(", ");
}

function jsonOf(report: SealReport): Record<string, unknown> {
  const { box, seal, code, manifest, packs, packBytes, snapshots, chunks, damaged, hurt, already } = report;
  return {
    box,
    seal,
    code,
    manifest,
    packs,
    pack_bytes: packBytes,
    snapshots,
    chunks,
    damaged,
    hurt,
    already,
  };
}
