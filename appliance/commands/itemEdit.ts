// holdfast item edit

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { changedDefinition, definedItem } from "../itemChanges.ts";
import { parseItemName } from "../itemName.ts";
import { reportItem } from "./itemReport.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args } = context;
  const place = parseItemName(args.operand(0));
  const answer = await withAdmin(context, async ({ items }) => {
    const { definition: before, revision } = await definedItem(items, place);
    const paths = args.texts("path");
    const definition = changedDefinition(
      { ...before, ...(paths.length > 0 && { paths, program: null }) },
      args,
      true,
    );
    if (JSON.stringify(definition) === JSON.stringify(before))
      throw new HoldfastError(ErrorCode.usage, "nothing is to be changed", {
        next: "See: holdfast help item edit",
      });
    return await items.set({ ...place, revision, definition });
  });
  reportItem(context, answer);
}
