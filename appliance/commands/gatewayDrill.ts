// holdfast gateway drill

import type { DrilledVault } from "../../gateway/admin/upkeepOperations.ts";
import { newSeed } from "../../gateway/maintenance/drill.ts";
import { type DrillProgress, drillFilesMax } from "../../gateway/maintenance/vaultContent.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { formatBytes, formatCount } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { unlockGiven } from "../openAccount.ts";
import { findVault, parseVaultName } from "../vaultName.ts";

const filesDefault = 20;
const bytesDefault = 256 * 2 ** 20;

export function run(context: CommandContext): Promise<void> {
  const { args, output, signal } = context;
  if (args.flag("list")) return list(context);
  return withAdmin(context, async (operations, running) => {
    const written = args.text("vault");
    const vault = written === undefined ? undefined : await findVault(operations, parseVaultName(written));
    await unlockGiven(context, operations, running);
    const seed = seedOf(args.text("seed"));
    const files = args.integer("files") ?? filesDefault;
    const bytes = args.bytes("bytes") ?? bytesDefault;
    if (files < 1 || files > drillFilesMax) {
      throw new HoldfastError(ErrorCode.usage, `--files takes 1 to ${drillFilesMax}`);
    }
    output.note(`Seed ${seed}: the same draws the same again.`);
    const onProgress = (progress: DrillProgress): void =>
      output.progress({
        label: "restoring in memory",
        files: progress.files,
        total_files: progress.filesTotal,
        bytes: progress.bytes,
        total_bytes: progress.bytesTotal,
      });
    const request = { ...(vault !== undefined && { vault: vault.id }), files, bytes, seed };
    const { vaults, locked } = await operations.drill(request, { onProgress, signal });
    output.endProgress();
    for (const id of locked) output.note(`Vault ${id} is locked, and was passed over.`);
    if (vaults.length === 0) {
      throw new HoldfastError(ErrorCode.vaultLocked, "no vault is unlocked: restoring needs its keys", {
        next: "Unlock one with `holdfast vault unlock ACCOUNT --data DIR`; where no gateway runs, give --account and its password.",
      });
    }
    const wrong = vaults.flatMap((drilled) =>
      drilled.wrong.map((file) => ({ vault: drilled.vault, ...file })),
    );
    for (const file of wrong) {
      output.event({ event: "wrong", ...file });
      output.fault(`snapshot ${file.snapshot.slice(0, 16)}: ${file.path}: ${file.why}`);
    }
    const sum = (count: (drilled: DrilledVault) => number): number =>
      vaults.reduce((total, drilled) => total + count(drilled), 0);
    const done = {
      seed,
      vaults: vaults.length,
      right: sum(({ report }) => report.right),
      partly: sum(({ report }) => report.partly),
      wrong: wrong.length,
      bytes: sum(({ report }) => report.readBytes),
    };
    output.line(
      `Restored ${formatCount(done.right, "file")} in memory as they were backed up, and a part of ${done.partly} more ` +
        `(${formatBytes(done.bytes)}); ${formatCount(done.wrong, "file")} could not be.`,
    );
    if (wrong.length > 0) {
      throw new HoldfastError(
        ErrorCode.chunkDamaged,
        `${formatCount(wrong.length, "file")} cannot be restored as they were`,
        {
          next: "`holdfast gateway check --read-data 100%` says what else is hurt; docs/repair.md what helps.",
        },
      );
    }
    output.event({ event: "done", ...done });
  });
}

/** @throws HoldfastError usage */
function seedOf(text: string | undefined): string {
  const seed = text ?? newSeed();
  if (/^[0-9a-f]{1,64}$/.test(seed)) return seed;
  throw new HoldfastError(ErrorCode.usage, "--seed takes up to 64 hex digits, as a drill prints them");
}

async function list(context: CommandContext): Promise<void> {
  const { output } = context;
  const reports = await withAdmin(context, (operations) => operations.drills());
  output.event(reports);
  if (reports.length === 0) return output.line("There was no restore drill yet.");
  const rows = reports.map(({ at, vault, right, partly, wrong, readBytes, seed }) => [
    at,
    vault.slice(0, 16),
    String(right),
    String(partly),
    wrong === 0 ? "0" : `${wrong} WRONG`,
    formatBytes(readBytes),
    seed,
  ]);
  output.line(formatTable(["TIME", "VAULT", "RIGHT", "PARTLY", "WRONG", "READ", "SEED"], rows));
}
