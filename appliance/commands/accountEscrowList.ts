// holdfast account escrow list

import { escrowsOf, escrowText } from "../account/escrow.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const account = args.operand(0);
  const { escrows, names } = await withAdmin(context, async (operations) => ({
    escrows: escrowsOf(await operations.keysDocuments(account)),
    names: new Map((await operations.vaults(account)).map(({ id, name }) => [id, name])),
  }));
  const vaultsOf = (ids: readonly string[]): string[] => ids.map((id) => names.get(id) ?? id);
  output.event(
    escrows.map(({ label, since, vaults, ...escrow }) => ({
      ...{ name: label, public: escrowText(escrow), since, vaults: vaultsOf(vaults) },
    })),
  );
  if (escrows.length === 0) return output.line(`Nobody has an escrow key for the backups of ${account}.`);
  const rows = escrows.map((escrow) => [
    escrow.label,
    escrow.since,
    vaultsOf(escrow.vaults).join(", "),
    escrowText(escrow),
  ]);
  return output.line(formatTable(["NAME", "SINCE", "VAULTS", "PUBLIC KEY"], rows));
}
