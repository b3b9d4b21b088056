// holdfast item remove

import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { definedItem } from "../itemChanges.ts";
import { parseItemName } from "../itemName.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const place = parseItemName(args.operand(0));
  const left = await withAdmin(context, async ({ items }) => {
    const { revision } = await definedItem(items, place);
    return await items.set({ ...place, revision, definition: null });
  });
  const follows = left?.from?.fleet;
  output.event({ event: "done", ...place, follows: follows ?? null });
  if (follows !== undefined) return output.line(`${args.operand(0)} follows its fleet @${follows} again.`);
  return output.line(`Nobody backs up ${args.operand(0)} by a schedule any more. Its snapshots stay.`);
}
