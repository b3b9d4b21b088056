// holdfast account escrow add

import { checkName } from "../../ingest/wire/names.ts";
import { parseRecoveryKey } from "../../vault/keys/recoveryKey.ts";
import { addEscrow, escrowText } from "../account/escrow.ts";
import type { CommandContext } from "../cli/command.ts";
import { readPassword } from "../cli/password.ts";
import { formatCount } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const account = args.operand(0);
  const key = parseRecoveryKey("escrowPublic", args.requiredText("public-key"));
  const label = checkName(args.requiredText("name"), "escrow");
  const holder = { label, public: key.toString("base64"), since: new Date().toISOString() };
  const vaults = await withAdmin(context, (operations) =>
    addEscrow(operations, account, holder, () => readPassword(context)),
  );
  output.line(
    `Whoever has the escrow key ${label} can read all backups of ${account}, those of before too (${formatCount(vaults, "vault")}).`,
  );
  output.line(
    `Every device of the account says so at its next backup. To end it: holdfast account escrow remove`,
  );
  output.event({
    event: "done",
    account,
    name: label,
    public: escrowText(holder),
    since: holder.since,
    vaults,
  });
}
