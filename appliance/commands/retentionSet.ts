// holdfast retention set

import {
  periods,
  type RetentionPolicy,
  trashSecondsDefault,
} from "../../gateway/maintenance/retention/policy.ts";
import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { itemOf, policyText } from "../retentionLines.ts";
import { parseVaultName } from "../vaultName.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const { account, vault } = parseVaultName(args.operands[0] as string);
  const counts = Object.fromEntries(periods.map((period) => [period, args.integer(period) ?? 0]));
  const policy: RetentionPolicy = {
    ...(counts as Pick<RetentionPolicy, (typeof periods)[number]>),
    last: args.integer("last") ?? 0,
    withinSeconds: args.duration("within") ?? 0,
    tags: args.texts("tag"),
    timeZone: args.text("time-zone") ?? "UTC",
    trashSeconds: args.duration("trash") ?? trashSecondsDefault,
  };
  await withAdmin(context, ({ retention }) =>
    retention.setPolicy({ ...itemOf(context), account, vault, policy }),
  );
  output.event({ event: "done", policy });
  output.line(`Kept from now on: ${policyText(policy)}.`);
  output.line(
    "A running gateway applies it once a day (prune-every-hours); `holdfast gateway prune --dry-run` shows what would go.",
  );
}
