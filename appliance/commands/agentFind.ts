// holdfast agent find

import { findEntries, nameMatcher } from "../../agent/inspect/findEntries.ts";
import type { CommandContext } from "../cli/command.ts";
import { entryLine } from "../entryLine.ts";
import { withSnapshots } from "../openedSnapshots.ts";

/** With one word it is the pattern, sought in the latest snapshot; with more, a snapshot's name may come first. */
function words(operands: readonly string[]): {
  readonly snapshot: string;
  readonly patterns: readonly string[];
} {
  const [first = "", ...rest] = operands;
  const namesSnapshot = rest.length > 0 && /^(?:latest|[0-9a-f]{1,64})$/i.test(first);
  return namesSnapshot ? { snapshot: first, patterns: rest } : { snapshot: "latest", patterns: operands };
}

export function run(given: CommandContext): Promise<void> {
  const { snapshot: name, patterns } = words(given.args.operands);
  for (const pattern of patterns) nameMatcher(pattern);
  return withSnapshots(given, async (reader) => {
    const { args, output, signal } = reader.context;
    const all = args.flag("all");
    const snapshots = all ? await reader.all() : [await reader.find(name)];
    for (const snapshot of snapshots) {
      const { id } = snapshot.row;
      const which = snapshot.header.flags.incomplete ? { snapshot: id, incomplete: true } : { snapshot: id };
      for await (const entry of findEntries(reader.open(snapshot), { patterns, signal })) {
        signal.throwIfAborted();
        const line = all ? `${id.slice(0, 16)} ${entryLine(entry)}` : entryLine(entry);
        await output.result(line, { ...which, ...entry });
      }
    }
  });
}
