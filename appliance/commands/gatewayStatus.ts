// holdfast gateway status

import { alertLines } from "../alertLines.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { formatBytes, formatCount } from "../cli/units.ts";
import { dataOf, withAdmin } from "../gatewayAccess.ts";
import { gcLines } from "../gcLines.ts";

export async function run(context: CommandContext): Promise<void> {
  const { output } = context;
  const status = await withAdmin(context, (operations) => operations.status());
  const { freeBytes, vaults, prune, gc, ...rest } = status;
  output.event({
    ...rest,
    free_bytes: freeBytes,
    prune: { at: prune.at, trashed: prune.trashed, failed: prune.failed, every_hours: prune.everyHours },
    gc: {
      ...{ at: gc.at, snapshots: gc.snapshots, freed_bytes: gc.freedBytes, held: gc.held, failed: gc.failed },
      ...{ every_hours: gc.everyHours, now: gc.now },
    },
    vaults: vaults.map(({ packBytes, fetchPacks, fetchBytes, ...vault }) => ({
      ...vault,
      pack_bytes: packBytes,
      fetch_packs: fetchPacks,
      fetch_bytes: fetchBytes,
    })),
    data: dataOf(context),
  });
  const running = status.url === null ? "not running" : `running at ${status.url} (process ${status.pid})`;
  output.line(`Gateway ${status.name}: ${running}`);
  output.line(`Fingerprint: ${status.fingerprint}`);
  output.line(`Data: ${dataOf(context)}, ${formatBytes(status.freeBytes)} free`);
  output.line(`Accounts: ${status.accounts}, devices: ${status.devices}`);
  if (prune.everyHours > 0 && prune.at !== null) {
    output.line(
      `Pruned by schedule: ${prune.at}, ${prune.failed ?? `${formatCount(prune.trashed, "snapshot")} to the trash`}`,
    );
  }
  for (const line of gcLines(gc)) output.line(line);
  for (const line of status.alerts.flatMap(alertLines)) output.line(line);
  if (status.vaults.length === 0) return;
  const rows = status.vaults.map((vault) => [
    `${vault.account}/${vault.name}`,
    vault.unlocked ? "unlocked" : "locked",
    String(vault.snapshots),
    String(vault.chunks),
    String(vault.packs),
    formatBytes(vault.packBytes),
  ]);
  output.line(formatTable(["VAULT", "STATE", "SNAPSHOTS", "CHUNKS", "PACKS", "STORED"], rows));
  const [packs, bytes] = [
    sum(vaults.map((vault) => vault.fetchPacks)),
    sum(vaults.map((vault) => vault.fetchBytes)),
  ];
  if (packs > 0)
    output.line(`Still to be fetched from the replica: ${formatCount(packs, "pack")}, ${formatBytes(bytes)}`);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
