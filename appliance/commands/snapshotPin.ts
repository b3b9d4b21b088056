// holdfast snapshot pin

import type { CommandContext } from "../cli/command.ts";
import { markSnapshots } from "../markSnapshots.ts";

export async function run(context: CommandContext): Promise<void> {
  await markSnapshots(context, { pin: context.args.text("reason") ?? "", addTags: [], removeTags: [] });
}
