// holdfast item add

import { emptyDefinition } from "../../ingest/schedule/itemDefinition.ts";
import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { changedDefinition } from "../itemChanges.ts";
import { parseItemName } from "../itemName.ts";
import { reportItem } from "./itemReport.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args } = context;
  const place = parseItemName(args.operand(0));
  const definition = changedDefinition(emptyDefinition(args.operands.slice(1)), args, false);
  const answer = await withAdmin(context, ({ items }) => items.set({ ...place, revision: 0, definition }));
  reportItem(context, answer);
}
