// holdfast agent diff

import { type Difference, diffSnapshots } from "../../agent/inspect/diffSnapshots.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { withSnapshots } from "../openedSnapshots.ts";
import { parseSnapshotPath } from "../snapshotPath.ts";

const signs: Readonly<Record<Difference["change"], string>> = { added: "+", removed: "-", changed: "~" };

function lineOf({ change, path, aspects }: Difference): string {
  return `${signs[change]} ${path}${aspects.length === 0 ? "" : ` (${aspects.join(", ")})`}`;
}

export function run(given: CommandContext): Promise<void> {
  return withSnapshots(given, async (reader) => {
    const { args, output, signal } = reader.context;
    const [before, after] = [parseSnapshotPath(args.operand(0)), parseSnapshotPath(args.operand(1))];
    const path = before.path.length > 0 ? before.path : after.path;
    if (
      after.path.length > 0 &&
      before.path.length > 0 &&
      !Buffer.concat(after.path).equals(Buffer.concat(path))
    ) {
      throw new HoldfastError(ErrorCode.usage, "diff compares one path in two snapshots", {
        next: "Give the path once: holdfast agent diff 3f2a latest:/etc",
      });
    }
    const [a, b] = await Promise.all([reader.find(before.snapshot), reader.find(after.snapshot)]);
    for await (const difference of diffSnapshots(reader.open(a), reader.open(b), path, signal)) {
      signal.throwIfAborted();
      await output.result(lineOf(difference), difference);
    }
  });
}
