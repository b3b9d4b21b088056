// holdfast retention show

import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { placeText, policyText, scopeOf } from "../retentionLines.ts";

export async function run(context: CommandContext): Promise<void> {
  const { output } = context;
  const policies = await withAdmin(context, ({ retention }) => retention.policies(scopeOf(context)));
  output.event(policies);
  if (policies.length === 0) {
    return output.line(
      "No policies: every snapshot stays. Set one: holdfast retention set ACCOUNT --daily 14",
    );
  }
  const rows = policies.map(({ account, vault, device, item, policy }) => [
    placeText([account, vault, device, item]),
    policyText(policy),
  ]);
  output.line(formatTable(["OF", "KEEPS"], rows));
}
