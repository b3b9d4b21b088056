// holdfast snapshot unpin

import type { CommandContext } from "../cli/command.ts";
import { markSnapshots } from "../markSnapshots.ts";

export async function run(context: CommandContext): Promise<void> {
  await markSnapshots(context, { pin: null, addTags: [], removeTags: [] });
}
