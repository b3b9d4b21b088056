// holdfast account list

import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { output } = context;
  const accounts = await withAdmin(context, (operations) => operations.accounts());
  output.event(
    accounts.map(({ id, name, disabled, created, vaults, devices }) => ({
      id,
      name,
      disabled,
      created,
      vaults,
      devices,
    })),
  );
  if (accounts.length === 0) return output.line("No accounts yet. Add one: holdfast account add NAME");
  const rows = accounts.map(({ name, disabled, created, vaults, devices }) => [
    name,
    disabled ? "disabled" : "active",
    String(devices),
    vaults.map((vault) => vault.name).join(", "),
    created,
  ]);
  return output.line(formatTable(["ACCOUNT", "STATE", "DEVICES", "VAULTS", "ADDED"], rows));
}
