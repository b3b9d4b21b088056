// holdfast agent backup

import { hostname } from "node:os";
import { runBackup } from "../../agent/backup/backup.ts";
import type { BackupRequest } from "../../agent/backup/request.ts";
import { survey, type Totals } from "../../agent/backup/survey.ts";
import { displayPath } from "../../agent/platform/systemError.ts";
import { GatewayBackupSession } from "../../agent/session/backupSession.ts";
import { AgentConnection, triesPatient } from "../../agent/session/connection.ts";
import { Filter } from "../../agent/source/filter.ts";
import { resolveTopPaths } from "../../agent/source/topPaths.ts";
import { cachePath, lockState } from "../../agent/state/stateDirectory.ts";
import { checkName } from "../../ingest/wire/names.ts";
import { agentContext } from "../agentSettings.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatBytes, formatCount, formatDuration } from "../cli/units.ts";
import { version } from "../version.ts";

const defaultItem = "files";

/** The request of a command line; everything that can be wrong with it is found here, before anything starts. */
function backupRequest({ args }: CommandContext): BackupRequest {
  const rules = {
    includes: args.texts("include"),
    excludes: args.texts("exclude"),
    includeRegexes: args.texts("include-regex"),
    excludeRegexes: args.texts("exclude-regex"),
  };
  new Filter(rules);
  return {
    paths: resolveTopPaths(args.operands),
    item: checkName(args.text("item") ?? defaultItem, "item"),
    rules,
    rescan: args.flag("rescan"),
    reference: !args.flag("no-reference"),
    oneFileSystem: args.flag("one-file-system"),
    excludeCaches: args.flag("exclude-caches"),
    limitUploadBytesPerSecond: args.bytes("limit-upload"),
    chunker: (args.text("chunker") ?? "auto-1") as BackupRequest["chunker"],
  };
}

export async function run(given: CommandContext): Promise<void> {
  const { context, state } = await agentContext(given);
  const request = backupRequest(context);
  for (const { resolvedFrom, path } of request.paths) {
    if (resolvedFrom !== undefined)
      context.output.note(`${resolvedFrom} is a link: backing up ${displayPath(path)}`);
  }
  const lock = lockState(state);
  const connection = await AgentConnection.open(state, triesPatient, context.signal);
  try {
    if (context.args.flag("accept-older")) connection.acceptOlder();
    if (context.args.flag("dry-run")) {
      const { reportDryRun } = await import("./agentBackupDryRun.ts");
      await reportDryRun(request, context, state, connection);
    } else {
      await backUp(request, context, state, connection);
    }
  } finally {
    connection.close();
    lock.release();
  }
}

/** Runs a backup and reports it. The caller holds the state's lock. */
export async function backUp(
  request: BackupRequest,
  context: CommandContext,
  state: string,
  connection: AgentConnection,
): Promise<void> {
  const { output, signal } = context;
  const startedMs = context.nowMs();
  const { device, vault } = connection.enrollment;
  const [keys, session] = await Promise.all([
    connection.keys(vault, "write"),
    GatewayBackupSession.start(connection, request.item, signal),
  ]);
  // Without a former snapshot to estimate by, somebody who watches gets the totals that a look ahead finds.
  let ahead: Totals | undefined;
  const over = new AbortController();
  const looking =
    output.showsProgress && session.head === null
      ? survey(request, AbortSignal.any([signal, over.signal])).then((totals) => {
          ahead = totals;
        })
      : undefined;
  const outcome = await runBackup(request, {
    session,
    keys,
    device,
    agentVersion: version,
    host: hostname(),
    cachePath: cachePath(state, session.itemId),
    nowMs: () => Date.now(),
    signal,
    warn: (path, what) => output.warn(what, path.length === 0 ? undefined : displayPath(path)),
    progress: ({ counts, sentBytes, expectedFiles, expectedBytes }) =>
      output.progress({
        label: "backing up",
        files: counts.files,
        bytes: counts.bytes,
        sent_bytes: sentBytes,
        ...(expectedFiles > 0 ? { total_files: expectedFiles, total_bytes: expectedBytes } : {}),
        ...(ahead === undefined ? {} : { total_files: ahead.files, total_bytes: ahead.bytes }),
      }),
  }).finally(async () => {
    over.abort();
    await looking;
  });
  output.endProgress();
  const seconds = Math.round(context.nowMs() - startedMs) / 1000;
  const { counts, reference } = outcome;
  output.line(
    `Snapshot ${outcome.snapshot.slice(0, 16)} of ${request.item}: ${formatCount(counts.files, "file")}, ` +
      `${formatCount(counts.dirs, "folder")}, ${formatBytes(counts.bytes)} in ${formatDuration(seconds)}; ` +
      `${formatCount(counts.filesRead, "file")} read, ${formatBytes(outcome.sentBytes)} sent` +
      `${reference !== undefined && reference.files > 0 ? `, ${formatCount(reference.files, "file")} kept where ${reference.device} has them` : ""}` +
      `${output.warnings > 0 ? `, ${formatCount(output.warnings, "warning")}` : ""}.`,
  );
  output.event({
    event: "done",
    snapshot: outcome.snapshot,
    item: request.item,
    files: counts.files,
    dirs: counts.dirs,
    others: counts.others,
    bytes: counts.bytes,
    files_read: counts.filesRead,
    bytes_read: counts.bytesRead,
    new_chunks: outcome.newChunks,
    sent_bytes: outcome.sentBytes,
    read_back_bytes: outcome.readBackBytes,
    reference:
      reference === undefined
        ? null
        : {
            snapshot: reference.snapshot,
            device: reference.device,
            item: reference.item,
            files: reference.files,
            bytes: reference.bytes,
            page_bytes: reference.pageBytes,
            read_bytes: reference.readBytes,
          },
    warnings: output.warnings,
    seconds,
  });
}
