// holdfast item copy

import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { definedItem } from "../itemChanges.ts";
import { parseItemName } from "../itemName.ts";
import { reportItem } from "./itemReport.ts";

export async function run(context: CommandContext): Promise<void> {
  const [from, to] = [0, 1].map((index) => parseItemName(context.args.operand(index)));
  const answer = await withAdmin(context, async ({ items }) => {
    const { definition } = await definedItem(items, from!);
    return await items.set({ ...to!, revision: 0, definition });
  });
  reportItem(context, answer);
}
