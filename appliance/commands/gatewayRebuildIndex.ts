// holdfast gateway rebuild-index

import type { RebuildProgress, RebuiltVault } from "../../gateway/maintenance/rebuild/rebuildVault.ts";
import type { CommandContext } from "../cli/command.ts";
import type { Output } from "../cli/output/output.ts";
import { formatBytes, formatCount } from "../cli/units.ts";
import { withUpkeep } from "../gatewayAccess.ts";
import { findVault, parseVaultName } from "../vaultName.ts";

export function run(context: CommandContext): Promise<void> {
  const { args, output, signal, nowMs } = context;
  return withUpkeep(context, async (upkeep, operations) => {
    const startedMs = nowMs();
    const written = args.text("vault");
    const vault = written === undefined ? undefined : await findVault(operations, parseVaultName(written));
    const onProgress = (progress: RebuildProgress): void => showRebuilding(output, progress);
    const { vaults } = await upkeep.rebuildIndex({ vault: vault?.id }, { onProgress, signal });
    output.endProgress();
    for (const rebuilt of vaults) {
      tellDamage(output, rebuilt);
      tellHurt(output, rebuilt);
      if (rebuilt.oldIndex !== null)
        output.note(`The old index is now ${rebuilt.oldIndex}: remove it when all is well.`);
    }
    const sum = (count: (vault: RebuiltVault) => number): number =>
      vaults.reduce((total, rebuilt) => total + count(rebuilt), 0);
    const done = {
      vaults: vaults.length,
      packs: sum(({ packs }) => packs),
      records: sum(({ records }) => records),
      snapshots: sum(({ snapshots }) => snapshots),
      hurt: sum(({ hurt }) => hurt.length),
    };
    output.line(
      `Rebuilt the index of ${formatCount(done.vaults, "vault")}: ${formatCount(done.packs, "pack")}, ` +
        `${formatCount(done.records, "record")}, ${formatCount(done.snapshots, "snapshot")}, ` +
        `${done.hurt === 0 ? "none" : done.hurt} of them incomplete.`,
    );
    output.event({ event: "done", ...done, seconds: Math.round(nowMs() - startedMs) / 1000 });
  });
}

/** How far a rebuild is. */
export function showRebuilding(output: Output, progress: RebuildProgress): void {
  const { packs, packsTotal, bytes, bytesTotal } = progress;
  output.progress({
    label: "rebuilding",
    files: packs,
    total_files: packsTotal,
    bytes,
    total_bytes: bytesTotal,
  });
}

/** Files that were damaged, and where rows came from that packs do not have. */
export function tellDamage(
  output: Output,
  { vault, damage, damagedSnapshots, leftOut, rows }: Omit<RebuiltVault, "hurt">,
): void {
  for (const { path, why, records, lostBytes, pack } of damage) {
    output.event({ event: "damage", vault, path, why, records, lost_bytes: lostBytes, pack });
    output.warn(
      `${path}: ${why}; ${formatCount(records, "record")} whole, ${formatBytes(lostBytes)} are not`,
    );
  }
  for (const { id, why } of damagedSnapshots) {
    output.event({ event: "damage", vault, snapshot: id, why });
    output.warn(`snapshot ${id.slice(0, 16)}: ${why}`);
  }
  for (const id of leftOut) {
    output.event({ event: "left-out", vault, snapshot: id });
    output.note(`Snapshot ${id.slice(0, 16)} was never committed.`);
  }
  if (rows === "none") {
    output.warn(
      `vault ${vault}: names of items, retention and the trash are nowhere but in a replica; items are named after their ids (docs/repair.md)`,
    );
  }
}

/** Snapshots that are not whole any more. */
export function tellHurt(output: Output, { vault, hurt }: Pick<RebuiltVault, "vault" | "hurt">): void {
  for (const { id, item, received, lacking, ids } of hurt) {
    output.event({ event: "hurt", vault, snapshot: id, item, received, lacking, chunks: ids });
    output.warn(
      `snapshot ${id.slice(0, 16)} of ${received} lacks ${formatCount(lacking, "chunk")}; what is here can be read, and a backup with --rescan sends what its source still has`,
    );
  }
}
