// holdfast gateway evict

import type { EvictProgress, EvictResult } from "../../gateway/admin/evictOperations.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatBytes, formatCount } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";

const reasons: Readonly<Record<EvictResult["stayed"][number]["why"], string>> = {
  "not-replicated": "no replica lists them yet; `holdfast replica run` sends them",
  unreachable: "their replica does not answer",
  "copy-wrong": "the copy in the replica is missing or wrong; `holdfast replica verify` looks at all of them",
  "local-damaged": "the local file is damaged or missing; `holdfast gateway scrub` mends it",
  busy: "they changed meanwhile; run this again",
};

export async function run(context: CommandContext): Promise<void> {
  const { args, output, signal, nowMs } = context;
  const startedMs = nowMs();
  const onProgress = ({ packsDone, packsTotal, bytesDone, bytesTotal }: EvictProgress): void =>
    output.progress({
      label: "evicting",
      unit: "pack",
      files: packsDone,
      total_files: packsTotal,
      bytes: bytesDone,
      total_bytes: bytesTotal,
    });
  const keepBytes = args.bytes("keep");
  if (keepBytes === undefined) {
    throw new HoldfastError(ErrorCode.usage, "--keep is needed: how much content stays on this disk", {
      next: "See: holdfast help gateway evict",
    });
  }
  const request = { keepBytes, dryRun: args.flag("dry-run") };
  const result = await withAdmin(context, (operations) => operations.evict(request, { onProgress, signal }));
  output.endProgress();
  const seconds = Math.round(nowMs() - startedMs) / 1000;
  const verb = result.dryRun ? "Would evict" : "Evicted";
  const stays = `${formatBytes(result.localBytes)} in ${formatCount(result.localPacks, "pack")}`;
  output.line(
    `${verb} ${formatCount(result.evictedPacks, "pack")} (${formatBytes(result.evictedBytes)}); ${stays} stay here.`,
  );
  if (result.provenBytes > 0) {
    const proven = formatBytes(result.provenBytes);
    output.line(
      result.dryRun
        ? `${proven} of that must be proven first: read back from the replica, or hashed there.`
        : `${proven} of that were read back from the replica, or hashed there, first.`,
    );
  }
  for (const { why, packs, bytes } of result.stayed) {
    output.warn(`${formatCount(packs, "pack")} (${formatBytes(bytes)}) cannot go: ${reasons[why]}`);
  }
  output.event({
    event: "done",
    dry_run: result.dryRun,
    evicted_packs: result.evictedPacks,
    evicted_bytes: result.evictedBytes,
    proven_bytes: result.provenBytes,
    local_packs: result.localPacks,
    local_bytes: result.localBytes,
    stayed: result.stayed,
    seconds,
  });
}
