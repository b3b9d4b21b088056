// holdfast agent backup

import { hostname } from "node:os";
import { runBackup } from "../../agent/backup/backup.ts";
import type { BackupOutcome, BackupRequest } from "../../agent/backup/request.ts";
import { survey, type Totals } from "../../agent/backup/survey.ts";
import { redirectsMax } from "../../agent/home/followHome.ts";
import { displayPath } from "../../agent/platform/systemError.ts";
import { GatewayBackupSession } from "../../agent/session/backupSession.ts";
import { AgentConnection, triesPatient } from "../../agent/session/connection.ts";
import { Filter } from "../../agent/source/filter.ts";
import type { PortionLimits } from "../../agent/source/portion.ts";
import { resolveTopPaths } from "../../agent/source/topPaths.ts";
import { cachePath, lockState } from "../../agent/state/stateDirectory.ts";
import { checkName } from "../../ingest/wire/names.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { escrowText } from "../account/escrow.ts";
import { agentContext } from "../agentSettings.ts";
import type { Arguments } from "../cli/arguments.ts";
import type { CommandContext } from "../cli/command.ts";
import { version } from "../version.ts";
import { reportBackup } from "./agentBackupReport.ts";

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
  const limitSeconds = args.duration("limit-time");
  const limits = {
    bytesMax: args.bytes("limit-size"),
    timeMs: limitSeconds === undefined ? undefined : limitSeconds * 1000,
  };
  checkLimits(args, limits);
  return {
    paths: resolveTopPaths(args.operands),
    item: checkName(args.text("item") ?? defaultItem, "item"),
    rules,
    rescan: args.flag("rescan"),
    reference: !args.flag("no-reference"),
    oneFileSystem: args.flag("one-file-system"),
    excludeCaches: args.flag("exclude-caches"),
    limitUploadBytesPerSecond: args.bytes("limit-upload"),
    limits,
    chunker: (args.text("chunker") ?? "auto-1") as BackupRequest["chunker"],
  };
}

/** @throws HoldfastError usage */
function checkLimits(args: Arguments, { bytesMax, timeMs }: PortionLimits): void {
  const wrong = (what: string, next: string): HoldfastError =>
    new HoldfastError(ErrorCode.usage, what, { next });
  const limited = bytesMax !== undefined || timeMs !== undefined;
  if (bytesMax === 0 || timeMs === 0)
    throw wrong("a limit of 0 lets nothing be read", "Write it like 100GiB or 6h.");
  if (args.flag("cycle") && !limited)
    throw wrong("--cycle repeats portions, and nothing limits them", "Add --limit-size or --limit-time.");
  if (args.flag("cycle") && args.flag("dry-run"))
    throw wrong("--dry-run tells of one run, not of a cycle", "Leave --cycle out.");
  if (args.flag("rescan") && limited)
    throw wrong(
      "--rescan cannot be made in portions: each would read the same files first",
      "Leave the limits out, or --rescan.",
    );
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
      await backUpPortions(request, context, state, connection);
    }
  } finally {
    connection.close();
    lock.release();
  }
}

/** One run, or with --cycle as many as it takes: each commits what it has, and adds to what there is. */
async function backUpPortions(
  request: BackupRequest,
  context: CommandContext,
  state: string,
  connection: AgentConnection,
): Promise<void> {
  const cycle = context.args.flag("cycle");
  for (;;) {
    const { stopped } = await backUpAtHome(request, context, state, connection, cycle);
    if (stopped === undefined || !cycle) return;
  }
}

/** As `backUp`. Where the device's home moves while it runs, it starts over at the new home; what was uploaded before counts for nothing there. */
async function backUpAtHome(...run: Parameters<typeof backUp>): Promise<BackupOutcome> {
  const [, { output }, , connection] = run;
  for (let moves = 0; ; moves++) {
    try {
      return await backUp(...run);
    } catch (error) {
      if (moves === redirectsMax || !(await connection.hasMoved(error))) throw error;
      output.note(
        `Backups of this machine go to ${connection.enrollment.gateway.url} now: starting over there.`,
      );
    }
  }
}

/** Says, once on this machine, who else can open what it backs up: its owner is to know. Nothing is wrong with the backup for that. */
async function tellEscrows(connection: AgentConnection, output: CommandContext["output"]): Promise<void> {
  const { added, removed } = await connection.escrowNews(connection.enrollment.vault);
  for (const { label, since, ...escrow } of added) {
    output.once(
      `The escrow key ${label} (added ${since}) can open these backups. If you did not add it, ask whoever runs the gateway: holdfast account escrow list`,
      { event: "escrow-added", name: label, public: escrowText(escrow), since },
    );
  }
  for (const { label, ...escrow } of removed) {
    output.once(`The escrow key ${label} opens nothing that is backed up from now on.`, {
      event: "escrow-removed",
      name: label,
      public: escrowText(escrow),
    });
  }
}

/** Runs a backup and reports it. The caller holds the state's lock. `goesOn`: after an incomplete snapshot comes the next run at once. */
export async function backUp(
  request: BackupRequest,
  context: CommandContext,
  state: string,
  connection: AgentConnection,
  goesOn = false,
): Promise<BackupOutcome> {
  const { output, signal } = context;
  const startedMs = context.nowMs();
  const { device, vault } = connection.enrollment;
  const [keys, session] = await Promise.all([
    connection.keys(vault, "write"),
    GatewayBackupSession.start(connection, request.item, signal),
  ]);
  await tellEscrows(connection, output);
  // Without a complete snapshot to estimate by, somebody who watches gets the totals that a look ahead finds.
  let ahead: Totals | undefined;
  let looking: Promise<void> | undefined;
  const over = new AbortController();
  const lookAhead = (): void => {
    looking ??= survey(request, AbortSignal.any([signal, over.signal])).then((totals) => {
      ahead = totals;
    });
  };
  if (output.showsProgress && session.head === null) lookAhead();
  const { bytesMax } = request.limits;
  const limited = bytesMax !== undefined || request.limits.timeMs !== undefined;
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
    progress: ({ counts, sentBytes, expectedFiles, expectedBytes, portion }) => {
      if (output.showsProgress && expectedFiles === 0 && !over.signal.aborted) lookAhead();
      output.progress({
        label: limited ? `backing up, portion ${portion}` : "backing up",
        files: counts.files,
        bytes: counts.bytes,
        sent_bytes: sentBytes,
        ...(expectedFiles > 0 ? { total_files: expectedFiles, total_bytes: expectedBytes } : {}),
        ...(ahead === undefined ? {} : { total_files: ahead.files, total_bytes: ahead.bytes }),
        ...(limited ? { portion, portion_bytes: counts.bytesRead } : {}),
        ...(bytesMax === undefined ? {} : { portion_bytes_max: bytesMax }),
      });
    },
  }).finally(async () => {
    over.abort();
    await looking;
  });
  output.endProgress();
  const seconds = Math.round(context.nowMs() - startedMs) / 1000;
  reportBackup({ request, outcome, output, seconds, totalBytes: ahead?.bytes, goesOn });
  return outcome;
}
