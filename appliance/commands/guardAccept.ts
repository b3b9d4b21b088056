// holdfast guard accept

import type { CommandContext } from "../cli/command.ts";
import { settleHolds } from "../guardLines.ts";

export async function run(context: CommandContext): Promise<void> {
  await settleHolds(context, "accept");
}
