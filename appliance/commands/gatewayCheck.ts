// holdfast gateway check

import { readShareOf } from "../../agent/inspect/readShare.ts";
import type { CheckedVault } from "../../gateway/admin/upkeepOperations.ts";
import type { CheckProgress } from "../../gateway/maintenance/check/checkTypes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import type { Output } from "../cli/output/output.ts";
import { formatBytes, formatCount } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { tellHurt, tellHurtFiles } from "../hurtLines.ts";
import { unlockGiven } from "../openAccount.ts";
import { findVault, parseVaultName } from "../vaultName.ts";

export function run(context: CommandContext): Promise<void> {
  const { args, output, signal, nowMs } = context;
  return withAdmin(context, async (operations, running) => {
    const startedMs = nowMs();
    const written = args.text("vault");
    const vault = written === undefined ? undefined : await findVault(operations, parseVaultName(written));
    const localBytes = (await operations.status()).vaults.reduce((sum, { packBytes }) => sum + packBytes, 0);
    const readShare = readShareOf(args.text("read-data") ?? "0%", localBytes);
    await unlockGiven(context, operations, running);
    const limit = args.text("limit") ?? "";
    const request = { ...(vault !== undefined && { vault: vault.id }), readShare, limit };
    const onProgress = (progress: CheckProgress): void => show(output, progress);
    const { vaults } = await operations.check(request, { onProgress, signal });
    output.endProgress();
    for (const checked of vaults) tell(output, checked);
    const sum = (count: (checked: CheckedVault) => number): number =>
      vaults.reduce((total, checked) => total + count(checked), 0);
    const done = {
      vaults: vaults.length,
      packs: sum(({ packs }) => packs),
      read_packs: sum(({ hashedPacks }) => hashedPacks),
      read_bytes: sum(({ hashedBytes }) => hashedBytes),
      records: sum(({ records }) => records),
      needed: sum(({ needed }) => needed),
      snapshots: sum(({ snapshots }) => snapshots),
      problems: sum(({ problems, moreProblems }) => problems.length + moreProblems),
      hurt: sum(({ hurt }) => hurt.length),
    };
    output.line(
      `Checked ${formatCount(done.packs, "pack")} (${formatBytes(done.read_bytes)} of them read and compared), ` +
        `${formatCount(done.records, "record")} and ${formatCount(done.snapshots, "snapshot")}: ` +
        `${formatCount(done.problems, "problem")}, ${formatCount(done.hurt, "snapshot")} hurt.`,
    );
    if (done.problems > 0 || done.hurt > 0) {
      throw new HoldfastError(
        ErrorCode.chunkDamaged,
        "not everything that snapshots reach is there and sound",
        {
          next: "`holdfast gateway scrub` heals from replicas; `holdfast gateway repair` brings back the rest that is whole (docs/repair.md).",
        },
      );
    }
    output.event({ event: "done", ...done, seconds: Math.round(nowMs() - startedMs) / 1000 });
  });
}

function show(output: Output, { phase, packs, packsTotal, bytes, bytesTotal }: CheckProgress): void {
  const label = phase === "packs" ? "checking packs" : `checking ${phase}`;
  output.progress({ label, files: packs, total_files: packsTotal, bytes, total_bytes: bytesTotal });
}

function tell(
  output: Output,
  { vault, problems, moreProblems, hurt, files, strays, needed }: CheckedVault,
): void {
  for (const problem of problems) {
    output.event({ event: "problem", vault, ...problem });
    output.fault(`${problem.kind} ${problem.name.slice(0, 16)}: ${problem.why}`);
  }
  if (moreProblems > 0) output.fault(`and ${formatCount(moreProblems, "more problem")}`);
  tellHurt(output, vault, hurt);
  if (hurt.length > 0) tellHurtFiles(output, vault, files);
  for (const path of strays) output.event({ event: "stray", vault, path });
  if (strays.length > 0) output.note(`${formatCount(strays.length, "file")} that no row of the index names.`);
  if (needed > 0)
    output.note(`${formatCount(needed, "record")} on the need-list: agents are asked for them.`);
}
