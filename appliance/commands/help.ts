// holdfast help

import type { CommandContext } from "../cli/command.ts";
import { commandsFor } from "../cli/commandTable.ts";
import { helpText } from "../cli/help.ts";

export async function run({ args, output }: CommandContext): Promise<void> {
  await output.bytes(helpText(args.operands, await commandsFor([])));
}
