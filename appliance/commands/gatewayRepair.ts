// holdfast gateway repair

import type { RepairedVault, RepairProgress } from "../../gateway/maintenance/repair/repairVault.ts";
import type { CommandContext } from "../cli/command.ts";
import type { Output } from "../cli/output/output.ts";
import { formatCount } from "../cli/units.ts";
import { tellDamage } from "../damageLines.ts";
import { withUpkeep } from "../gatewayAccess.ts";
import { tellHurt, tellHurtFiles } from "../hurtLines.ts";
import { unlockGiven } from "../openAccount.ts";
import { findVault, parseVaultName } from "../vaultName.ts";

export function run(context: CommandContext): Promise<void> {
  const { args, output, signal, nowMs } = context;
  return withUpkeep(context, async (upkeep, operations) => {
    const startedMs = nowMs();
    const dryRun = args.flag("dry-run");
    const written = args.text("vault");
    const vault = written === undefined ? undefined : await findVault(operations, parseVaultName(written));
    const onProgress = (progress: RepairProgress): void => show(output, progress);
    const { vaults } = await upkeep.repair({ vault: vault?.id, dryRun }, { onProgress, signal });
    output.endProgress();
    // What a dry run found is not yet what the index says.
    if (!dryRun) await unlockGiven(context, operations, false);
    for (const repaired of vaults) {
      tell(output, repaired, dryRun);
      if (repaired.hurt.length === 0 || dryRun) continue;
      const files = await upkeep.hurtFiles(repaired.vault, repaired.hurt, signal);
      tellHurtFiles(output, repaired.vault, files ?? null);
    }
    const sum = (count: (repaired: RepairedVault) => number): number =>
      vaults.reduce((total, repaired) => total + count(repaired), 0);
    const done = {
      dry_run: dryRun,
      vaults: vaults.length,
      snapshots: sum(({ snapshots }) => snapshots),
      healed: sum(({ found }) => found.filter(({ from }) => from !== null).length),
      not_healed: sum(({ found }) => found.filter(({ from }) => from === null).length),
      rebuilt: sum(({ rebuilt }) => (rebuilt === null ? 0 : 1)),
      hurt: sum(({ hurt }) => hurt.length),
    };
    output.line(
      `${dryRun ? "Would heal" : "Healed"} ${formatCount(done.healed, "file")} from replicas, and ` +
        `${dryRun ? "make" : "made"} ${formatCount(done.rebuilt, "index", "indexes")} anew. ` +
        `${formatCount(done.snapshots, "snapshot")}, ${done.hurt === 0 ? "all whole" : `${done.hurt} of them incomplete`}.`,
    );
    output.event({ event: "done", ...done, seconds: Math.round(nowMs() - startedMs) / 1000 });
  });
}

function show(output: Output, { phase, packs, packsTotal, bytes, bytesTotal }: RepairProgress): void {
  const label = phase === "packs" ? "reading packs" : "rebuilding";
  output.progress({ label, files: packs, total_files: packsTotal, bytes, total_bytes: bytesTotal });
}

function tell(output: Output, repaired: RepairedVault, dryRun: boolean): void {
  const { vault, found, away, reasons, rebuilt, hurt } = repaired;
  for (const { replica, why } of away) {
    output.event({ event: "replica-away", vault, replica, why });
    output.warn(`replica ${replica} could not be read (${why}): run this again when it can`);
  }
  for (const { kind, name, why, from, notHealed } of found) {
    output.event({ event: "found", vault, kind, name, why, from, not_healed: notHealed });
    const what = `${kind} ${name.slice(0, 16)}: ${why}`;
    if (from === null) output.warn(`${what}; ${notHealed}`);
    else output.note(`${what}; ${dryRun ? "would come" : "came"} from ${from}`);
  }
  if (rebuilt !== null) {
    const why = reasons.join("; ");
    output.event({ event: "rebuilt", vault, why, packs: rebuilt.packs, records: rebuilt.records });
    output.note(`The index ${dryRun ? "would be" : "was"} made anew: ${why}.`);
    tellDamage(output, vault, rebuilt);
  }
  tellHurt(output, vault, hurt);
}
