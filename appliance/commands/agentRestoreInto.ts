// holdfast agent restore --into-program

import { fileAt, wholePath } from "../../agent/inspect/listTree.ts";
import type { SnapshotPath } from "../../agent/inspect/snapshotPath.ts";
import { openTree } from "../../agent/inspect/snapshotTree.ts";
import { restoreIntoProgram } from "../../agent/program/intoProgram.ts";
import { AgentConnection, triesPatient } from "../../agent/session/connection.ts";
import { GatewayRecordSource } from "../../agent/session/recordSource.ts";
import { findSnapshot } from "../../agent/session/snapshotList.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { pathToText } from "../../vault/pathText.ts";
import type { AgentContext } from "../agentSettings.ts";
import type { Arguments } from "../cli/arguments.ts";
import { formatBytes, formatDuration } from "../cli/units.ts";
import { commandLimits } from "../commandLimits.ts";
import { gatewayToRead } from "../gatewayToRead.ts";
import { noteIncomplete } from "../openedSnapshots.ts";

/** @throws HoldfastError usage */
function checkOptions(args: Arguments): void {
  const wrong =
    (["target", "overwrite", "need-out"] as const).find((name) => args.text(name) !== undefined) ??
    (args.flag("delete") ? "delete" : undefined);
  if (wrong === undefined) return;
  throw new HoldfastError(ErrorCode.usage, `--${wrong} is for files, and --into-program makes none`, {
    next: "Leave one of them out.",
  });
}

export async function restoreInto(
  command: string,
  chosen: SnapshotPath,
  { context, state, line, written }: AgentContext,
): Promise<void> {
  checkOptions(written);
  const { args, output, signal } = context;
  const startedMs = context.nowMs();
  const way = { line, elsewhere: gatewayToRead(context) };
  const connection = await AgentConnection.open(state, triesPatient, signal, way);
  try {
    const found = await findSnapshot(connection, {
      name: chosen.snapshot,
      item: args.text("item"),
      device: args.text("device"),
    });
    noteIncomplete(output, found);
    const snapshot = openTree(new GatewayRecordSource(connection.client), found);
    const path = pathToText(wholePath(chosen.path));
    const told = { snapshot: found.row.id, path, incomplete: found.header.flags.incomplete };
    if (args.flag("dry-run")) {
      const { size } = await fileAt(snapshot, chosen.path, signal);
      output.line(`Would give ${path} (${formatBytes(size)}) to: ${command}`);
      output.event({ event: "would", action: "run", command, path, bytes: size });
      output.event({ event: "done", dry_run: true, ...told, bytes: size, warnings: output.warnings });
      return;
    }
    const { bytes } = await restoreIntoProgram({
      snapshot,
      keys: found.keys,
      path: chosen.path,
      command,
      limits: commandLimits(args),
      // Events have stdout to themselves.
      stdout: output.json ? 2 : 1,
      environment: context.environment,
      warn: (what) => output.warn(what, path),
      progress: (done, total) => output.progress({ label: "restoring", bytes: done, total_bytes: total }),
      steadyMs: () => performance.now(),
      signal,
    });
    output.endProgress();
    const seconds = Math.round(context.nowMs() - startedMs) / 1000;
    output.note(`The command took ${formatBytes(bytes)} of ${path} in ${formatDuration(seconds)}.`);
    output.event({ event: "done", ...told, bytes, warnings: output.warnings, seconds });
  } finally {
    connection.close();
  }
}
