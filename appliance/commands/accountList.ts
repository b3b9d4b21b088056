// holdfast account list

import { escrowText } from "../account/escrow.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { formatBytes } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { output } = context;
  const accounts = await withAdmin(context, (operations) => operations.accounts());
  output.event(
    accounts.map(({ id, name, disabled, created, vaults, devices, storedBytes, quota, escrows }) => ({
      ...{ id, name, disabled, created, vaults, devices, stored_bytes: storedBytes },
      ...{ quota_bytes: quota.bytes, quota_devices: quota.devices },
      escrows: escrows.map((escrow) => ({
        ...{ name: escrow.label, public: escrowText(escrow), since: escrow.since },
      })),
    })),
  );
  if (accounts.length === 0) return output.line("No accounts yet. Add one: holdfast account add NAME");
  const rows = accounts.map(({ name, disabled, created, vaults, devices, storedBytes, quota }) => [
    name,
    disabled ? "disabled" : "active",
    quota.devices === null ? String(devices) : `${devices} of ${quota.devices}`,
    quota.bytes === null
      ? formatBytes(storedBytes)
      : `${formatBytes(storedBytes)} of ${formatBytes(quota.bytes)}`,
    vaults.map((vault) => vault.name).join(", "),
    created,
  ]);
  output.line(formatTable(["ACCOUNT", "STATE", "DEVICES", "STORED", "VAULTS", "ADDED"], rows));
  for (const { name, escrows } of accounts) {
    for (const { label, since } of escrows)
      output.line(`${name}: the escrow key ${label} (since ${since}) opens its backups.`);
  }
}
