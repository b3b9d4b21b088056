// holdfast item remove

import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { definedItem } from "../itemChanges.ts";
import { parseItemName } from "../itemName.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const place = parseItemName(args.operand(0));
  await withAdmin(context, async ({ items }) => {
    const { revision } = await definedItem(items, place);
    await items.set({ ...place, revision, definition: null });
  });
  output.event({ event: "done", ...place });
  output.line(`Nobody backs up ${args.operand(0)} by a schedule any more. Its snapshots stay.`);
}
