// holdfast gateway rebuild-index

import type { RebuildProgress, RebuiltVault } from "../../gateway/maintenance/rebuild/rebuildVault.ts";
import type { CommandContext } from "../cli/command.ts";
import type { Output } from "../cli/output/output.ts";
import { formatCount } from "../cli/units.ts";
import { tellDamage } from "../damageLines.ts";
import { withUpkeep } from "../gatewayAccess.ts";
import { tellHurt } from "../hurtLines.ts";
import { findVault, parseVaultName } from "../vaultName.ts";

export function run(context: CommandContext): Promise<void> {
  const { args, output, signal, nowMs } = context;
  return withUpkeep(context, async (upkeep, operations) => {
    const startedMs = nowMs();
    const written = args.text("vault");
    const vault = written === undefined ? undefined : await findVault(operations, parseVaultName(written));
    const onProgress = (progress: RebuildProgress): void => show(output, progress);
    const { vaults } = await upkeep.rebuildIndex({ vault: vault?.id }, { onProgress, signal });
    output.endProgress();
    for (const rebuilt of vaults) {
      tellDamage(output, rebuilt.vault, rebuilt);
      tellHurt(output, rebuilt.vault, rebuilt.hurt);
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

function show(output: Output, progress: RebuildProgress): void {
  const { packs, packsTotal, bytes, bytesTotal } = progress;
  output.progress({
    label: "rebuilding",
    unit: "pack",
    files: packs,
    total_files: packsTotal,
    bytes,
    total_bytes: bytesTotal,
  });
}
