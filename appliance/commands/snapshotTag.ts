// holdfast snapshot tag

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { markSnapshots } from "../markSnapshots.ts";

export async function run(context: CommandContext): Promise<void> {
  const [addTags, removeTags] = [context.args.texts("add"), context.args.texts("remove")];
  if (addTags.length + removeTags.length === 0) {
    throw new HoldfastError(ErrorCode.usage, "say which tags: --add TAG, --remove TAG");
  }
  await markSnapshots(context, { addTags, removeTags });
}
