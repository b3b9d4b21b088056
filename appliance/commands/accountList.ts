// holdfast account list

import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { formatBytes } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { output } = context;
  const accounts = await withAdmin(context, (operations) => operations.accounts());
  output.event(
    accounts.map(({ id, name, disabled, created, vaults, devices, storedBytes, quota }) => ({
      ...{ id, name, disabled, created, vaults, devices, stored_bytes: storedBytes },
      ...{ quota_bytes: quota.bytes, quota_devices: quota.devices },
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
  return output.line(formatTable(["ACCOUNT", "STATE", "DEVICES", "STORED", "VAULTS", "ADDED"], rows));
}
