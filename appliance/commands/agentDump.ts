// holdfast agent dump

import { nodeAt, snapshotView } from "../../agent/inspect/snapshotView.ts";
import { archive } from "../../fs/archive/archive.ts";
import type { ArchiveFormat } from "../../fs/archive/archiveTypes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { withSnapshots } from "../openedSnapshots.ts";
import { parseSnapshotPath } from "../snapshotPath.ts";

export function run(given: CommandContext): Promise<void> {
  return withSnapshots(given, async (reader) => {
    const { args, output, signal } = reader.context;
    if (output.json) {
      throw new HoldfastError(ErrorCode.usage, "the archive goes to stdout, where --json would spoil it", {
        next: "Leave out --json; warnings are on stderr, and the exit status is 3 when there were any.",
      });
    }
    if (output.onTerminal) {
      throw new HoldfastError(ErrorCode.usage, "an archive is not for a terminal", {
        next: "Send it into a file or a program: holdfast agent dump latest:/etc | tar -t",
      });
    }
    const { snapshot: name, path } = parseSnapshotPath(args.operand(0));
    const snapshot = await reader.find(name);
    const { view, root } = snapshotView(reader.source, snapshot);
    const node = await nodeAt(view, root, path);
    const last = path.at(-1);
    const { files, bytes } = snapshot.body;
    const bytesOf = archive(view, node, {
      format: (args.text("format") ?? "tar") as ArchiveFormat,
      ...(last === undefined ? {} : { name: last }),
      signal,
      onNote: ({ level, path: where, message }) =>
        level === "info" ? output.info(message, where) : output.warn(message, where),
      onProgress: (progress) =>
        output.progress({
          label: "dumping",
          ...progress,
          // What a folder holds is not known ahead.
          ...(path.length === 0 ? { total_files: files, total_bytes: bytes } : {}),
        }),
    });
    for await (const piece of bytesOf) await output.bytes(piece);
  });
}
