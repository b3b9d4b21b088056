// holdfast agent cat

import { fileBytes } from "../../agent/inspect/listTree.ts";
import type { CommandContext } from "../cli/command.ts";
import { withSnapshots } from "../openedSnapshots.ts";
import { parseSnapshotPath } from "../snapshotPath.ts";

export function run(given: CommandContext): Promise<void> {
  return withSnapshots(given, async (reader) => {
    const { args, output, signal } = reader.context;
    for (const written of args.operands) {
      const { snapshot, path } = parseSnapshotPath(written);
      const tree = reader.open(await reader.find(snapshot));
      for await (const bytes of fileBytes(tree, path, signal)) {
        signal.throwIfAborted();
        await output.bytes(bytes);
      }
    }
  });
}
