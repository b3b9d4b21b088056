// holdfast agent ls

import { listEntries } from "../../agent/inspect/listTree.ts";
import type { CommandContext } from "../cli/command.ts";
import { entryLine } from "../entryLine.ts";
import { withSnapshots } from "../openedSnapshots.ts";
import { parseSnapshotPath } from "../snapshotPath.ts";

export function run(given: CommandContext): Promise<void> {
  return withSnapshots(given, async (reader) => {
    const { args, output, signal } = reader.context;
    const { snapshot, path } = parseSnapshotPath(args.operand(0));
    const tree = reader.open(await reader.find(snapshot));
    for await (const entry of listEntries(tree, path, { recursive: args.flag("recursive"), signal })) {
      signal.throwIfAborted();
      await output.result(entryLine(entry), entry);
    }
  });
}
