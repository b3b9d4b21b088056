// holdfast agent restore

import { resolve } from "node:path";
import { restore } from "../../agent/restore/restore.ts";
import type { Overwrite } from "../../agent/restore/restoreTypes.ts";
import { AgentConnection, triesPatient } from "../../agent/session/connection.ts";
import { GatewayRecordSource } from "../../agent/session/recordSource.ts";
import { findSnapshot } from "../../agent/session/snapshotList.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { agentContext } from "../agentSettings.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatBytes, formatCount, formatDuration } from "../cli/units.ts";
import { gatewayToRead } from "../gatewayToRead.ts";
import { noteIncomplete } from "../openedSnapshots.ts";
import { parseSnapshotPath } from "../snapshotPath.ts";

export async function run(given: CommandContext): Promise<void> {
  const agent = await agentContext(given);
  const { context, state, line } = agent;
  const { args, output, signal } = context;
  const startedMs = context.nowMs();
  const chosen = parseSnapshotPath(args.operand(0));
  const command = args.text("into-program");
  if (command !== undefined) {
    const { restoreInto } = await import("./agentRestoreInto.ts");
    return restoreInto(command, chosen, agent);
  }
  const target = resolve(args.requiredText("target"));
  const dryRun = args.flag("dry-run");
  const needOut = args.text("need-out");
  if (needOut !== undefined && !dryRun) {
    throw new HoldfastError(
      ErrorCode.usage,
      "--need-out lists what would be fetched: it goes with --dry-run",
    );
  }
  const way = { line, elsewhere: gatewayToRead(context) };
  const connection = await AgentConnection.open(state, triesPatient, context.signal, way);
  try {
    const snapshot = await findSnapshot(connection, {
      name: chosen.snapshot,
      item: args.text("item"),
      device: args.text("device"),
    });
    noteIncomplete(output, snapshot);
    const { incomplete } = snapshot.header.flags;
    if (incomplete && args.flag("delete")) {
      throw new HoldfastError(
        ErrorCode.usage,
        "--delete with an incomplete snapshot would delete what its run did not come to",
        {
          next: "Leave --delete out, or name a complete snapshot: holdfast agent snapshots",
        },
      );
    }
    const result = await restore({
      source: new GatewayRecordSource(connection.client),
      keys: snapshot.keys,
      snapshot,
      path: chosen.path,
      target: Buffer.from(target),
      overwrite: (args.text("overwrite") ?? "always") as Overwrite,
      dryRun,
      ...(needOut === undefined ? {} : { needOut: resolve(needOut) }),
      delete: args.flag("delete"),
      ownerByName: true,
      signal,
      onProgress: ({ filesDone, filesTotal, bytesDone, bytesTotal }) =>
        output.progress({
          label: "restoring",
          files: filesDone,
          bytes: bytesDone,
          total_files: filesTotal,
          total_bytes: bytesTotal,
        }),
      onNote: ({ level, path, message }) => {
        if (level === "info") output.info(message, path);
        else output.warn(message, path);
      },
      ...(dryRun ? { onAction: ({ action, path }) => reportAction(context, action, path) } : {}),
    });
    output.endProgress();
    const seconds = Math.round(context.nowMs() - startedMs) / 1000;
    const verb = dryRun ? "Would restore" : "Restored";
    output.line(
      `${verb} ${formatCount(result.files, "file")}, ${formatCount(result.directories, "folder")}, ` +
        `${formatBytes(result.bytes)} to ${target} in ${formatDuration(seconds)}; ` +
        `${formatCount(result.reused, "file was", "files were")} right already, ${formatBytes(result.fetchedBytes)} fetched.`,
    );
    const { needed } = result;
    if (needed !== undefined) {
      output.line(
        `${formatCount(needed.chunks, "chunk")} (${formatBytes(needed.bytes)} at most) would be fetched: ${needOut} lists them.`,
      );
    }
    output.event({
      event: "done",
      snapshot: snapshot.row.id,
      incomplete,
      target,
      files: result.files,
      dirs: result.directories,
      others: result.others,
      bytes: result.bytes,
      reused: result.reused,
      kept: result.kept,
      deleted: result.deleted,
      fetched_bytes: result.fetchedBytes,
      ...(needed !== undefined && { need_chunks: needed.chunks, need_bytes: needed.bytes }),
      warnings: output.warnings,
      seconds,
    });
  } finally {
    connection.close();
  }
}

function reportAction({ output }: CommandContext, action: string, path: string): void {
  output.event({ event: "would", action, path });
  output.line(`${action.padEnd(8)} ${path}`);
}
