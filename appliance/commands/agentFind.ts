// holdfast agent find

import { findEntries, nameMatcher } from "../../agent/inspect/findEntries.ts";
import type { CommandContext } from "../cli/command.ts";
import { entryLine } from "../entryLine.ts";
import { withSnapshots } from "../openedSnapshots.ts";

export function run(given: CommandContext): Promise<void> {
  const pattern = given.args.operand(0);
  nameMatcher(pattern);
  return withSnapshots(given, async (reader) => {
    const { args, output, signal } = reader.context;
    const all = args.flag("all");
    const snapshots = all ? await reader.all() : [await reader.find(args.operands[1] ?? "latest")];
    for (const snapshot of snapshots) {
      const { id } = snapshot.row;
      for await (const entry of findEntries(reader.open(snapshot), { patterns: [pattern], signal })) {
        signal.throwIfAborted();
        await output.result(all ? `${id.slice(0, 16)} ${entryLine(entry)}` : entryLine(entry), {
          snapshot: id,
          ...entry,
        });
      }
    }
  });
}
