// holdfast agent backup

import { hostname } from "node:os";
import { runBackup } from "../../agent/backup/backup.ts";
import type { BackupOutcome, BackupRequest, TakenSources } from "../../agent/backup/request.ts";
import { survey, type Totals } from "../../agent/backup/survey.ts";
import { redirectsMax } from "../../agent/home/followHome.ts";
import { HookedRun } from "../../agent/hooks/hookedRun.ts";
import { lowerPriority } from "../../agent/platform/priority.ts";
import { displayPath } from "../../agent/platform/systemError.ts";
import { GatewayBackupSession } from "../../agent/session/backupSession.ts";
import { AgentConnection, triesPatient } from "../../agent/session/connection.ts";
import { nothingTold, overOf, ProgressTeller } from "../../agent/session/progressTeller.ts";
import { Filter } from "../../agent/source/filter.ts";
import type { PortionLimits } from "../../agent/source/portion.ts";
import { resolveTopPaths, type TopPath } from "../../agent/source/topPaths.ts";
import { readEnrollment } from "../../agent/state/enrollment.ts";
import { cachePath, lockState } from "../../agent/state/stateDirectory.ts";
import type { BackupTold } from "../../ingest/wire/messages.ts";
import { checkName } from "../../ingest/wire/names.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { escrowText } from "../account/escrow.ts";
import { agentContext } from "../agentSettings.ts";
import type { Arguments } from "../cli/arguments.ts";
import type { CommandContext } from "../cli/command.ts";
import { hookPort, hookResult, hooksOf } from "../hookSettings.ts";
import { version } from "../version.ts";
import { programFailure, programRequest, reportProgramDryRun } from "./agentBackupProgram.ts";
import { reportBackup } from "./agentBackupReport.ts";

const defaultItem = "files";

/** The request of a command line but for its paths; everything that can be wrong with it is found here, before anything starts. */
function backupRequest({ args }: CommandContext): Omit<BackupRequest, "paths"> {
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
    item: checkName(args.text("item") ?? defaultItem, "item"),
    rules,
    rescan: args.flag("rescan"),
    ignoreInodes: args.flag("ignore-inode"),
    reference: !args.flag("no-reference"),
    oneFileSystem: args.flag("one-file-system"),
    excludeCaches: args.flag("exclude-caches"),
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
  const other = ["cycle", "dry-run"].find((name) => args.flag(name));
  if (args.flag("estimate") && other !== undefined)
    throw wrong(`--estimate and --${other} do not go together`, `Leave out --${other}.`);
  if (args.flag("rescan") && limited)
    throw wrong(
      "--rescan cannot be made in portions: each would read the same files first",
      "Leave the limits out, or --rescan.",
    );
}

export async function run(given: CommandContext): Promise<void> {
  const { context, state, line, written } = await agentContext(given);
  const { args } = context;
  const program = programRequest(context, written);
  const request = program ?? backupRequest(context);
  if (args.text("priority") === "low") goLow(context);
  if (args.flag("estimate")) {
    const { reportEstimate } = await import("./agentBackupEstimate.ts");
    return await reportEstimate({ ...request, paths: resolvedPaths(context) }, context);
  }
  const asked = hooksOf(args);
  // A program's output is no source that a file system could take a snapshot of.
  const hooks = program === undefined ? asked : asked && { ...asked, snapshot: undefined };
  const resolve = (): readonly TopPath[] => program?.paths ?? resolvedPaths(context);
  // What `before` makes is not there yet.
  const early = hooks?.before === undefined || args.flag("dry-run") ? resolve() : undefined;
  // A name that was mistyped does not become a directory.
  readEnrollment(state);
  const lock = lockState(state);
  let connection: AgentConnection | undefined;
  try {
    await HookedRun.sweep(hookPort(context, state));
    connection = await AgentConnection.open(state, triesPatient, context.signal, { line });
    if (args.flag("accept-older")) connection.acceptOlder();
    const run = { context, state, connection };
    if (args.flag("dry-run") && program !== undefined) {
      await reportProgramDryRun(program, context.output, connection);
    } else if (args.flag("dry-run")) {
      const { reportDryRun } = await import("./agentBackupDryRun.ts");
      await reportDryRun({ ...request, paths: early ?? [] }, context, state, connection);
    } else if (hooks === undefined) {
      (await backUpPortions({ ...request, paths: early ?? [] }, run)).report();
    } else {
      const { report } = await new HookedRun(
        hooks,
        hookPort(context, state),
        request.item,
        args.operands,
      ).around(
        () => early ?? resolve(),
        (paths, taken) => backUpPortions({ ...request, paths }, { ...run, taken }),
        ({ outcome }) => hookResult(outcome, context.output.warnings),
      );
      report();
    }
  } finally {
    connection?.close();
    lock.release();
  }
}

/** Before there are threads that read. Where the system forbids it, the backup is made all the same. */
function goLow({ output }: CommandContext): void {
  try {
    lowerPriority();
  } catch (error) {
    const { message } = error as Error;
    output.note(`holdfast: note: the priority could not be made low: ${message}`);
  }
}

function resolvedPaths({ args, output }: CommandContext): TopPath[] {
  const paths = resolveTopPaths(args.operands);
  for (const { resolvedFrom, path } of paths) {
    if (resolvedFrom !== undefined) output.note(`${resolvedFrom} is a link: backing up ${displayPath(path)}`);
  }
  return paths;
}

/** One run, or with --cycle as many as it takes: each commits what it has, and adds to what there is. The last is left to be reported. */
async function backUpPortions(request: BackupRequest, run: BackupPlace): Promise<BackedUp> {
  const cycle = run.context.args.flag("cycle");
  for (;;) {
    const done = await backUpAtHome(request, run, cycle);
    if (done.outcome.stopped === undefined || !cycle) return done;
    done.report();
  }
}

/** As `backUp`. Where the device's home moves while it runs, it starts over at the new home; what was uploaded before counts for nothing there. */
async function backUpAtHome(...run: Parameters<typeof backUp>): Promise<BackedUp> {
  const [, { connection, context }] = run;
  for (let moves = 0; ; moves++) {
    try {
      return await backUp(...run);
    } catch (error) {
      if (moves === redirectsMax || !(await connection.hasMoved(error))) throw error;
      context.output.note(
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

/** Where a backup is made, and from what. */
export type BackupPlace = {
  readonly context: CommandContext;
  readonly state: string;
  readonly connection: AgentConnection;
  readonly taken?: TakenSources | undefined;
};

/** A committed backup; `report` says so, once all is over that belongs to it. */
export type BackedUp = { readonly outcome: BackupOutcome; readonly report: () => void };

/** Runs a backup. The caller holds the state's lock. `goesOn`: after an incomplete snapshot comes the next run at once. */
export async function backUp(
  request: BackupRequest,
  { context, state, connection, taken }: BackupPlace,
  goesOn = false,
): Promise<BackedUp> {
  const { output } = context;
  const startedMs = context.nowMs();
  const { device, vault } = connection.enrollment;
  // The gateway may ask it to stop.
  const asked = new AbortController();
  const signal = AbortSignal.any([context.signal, asked.signal]);
  const [keys, session] = await Promise.all([
    connection.keys(vault, "write"),
    GatewayBackupSession.start(connection, request.item, signal),
  ]);
  let told: BackupTold = nothingTold;
  let warnings = 0;
  const teller = new ProgressTeller({
    tell: (progress, until) => session.tellProgress(progress, until),
    told: () => ({ ...told, warnings }),
    stop: (reason) => asked.abort(reason),
  });
  await tellEscrows(connection, output);
  // Without a complete snapshot to estimate by, somebody who watches gets the totals that a look ahead finds.
  let ahead: Totals | undefined;
  let looking: Promise<void> | undefined;
  const over = new AbortController();
  const lookAhead = (): void => {
    if (request.program !== undefined) return;
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
    bodyBytesMax: connection.uploadBodyBytes,
    nowMs: () => Date.now(),
    taken,
    signal,
    warn: (path, what) => {
      warnings++;
      output.warn(what, path.length === 0 ? undefined : displayPath(path));
    },
    progress: ({ counts, sentBytes, expectedFiles, expectedBytes, portion }) => {
      const { files, bytes } = counts;
      told = {
        ...{ files, bytes, sentBytes, warnings },
        ...{ totalFiles: ahead?.files ?? expectedFiles, totalBytes: ahead?.bytes ?? expectedBytes },
      };
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
  })
    .catch(async (error: unknown) => {
      await teller.end(overOf(error, signal));
      throw asked.signal.aborted ? asked.signal.reason : error;
    })
    .finally(async () => {
      over.abort();
      await looking;
    });
  await teller.end();
  output.endProgress();
  const seconds = Math.round(context.nowMs() - startedMs) / 1000;
  const report = (): void =>
    reportBackup({ request, outcome, output, seconds, totalBytes: ahead?.bytes, goesOn });
  const failure = programFailure(outcome);
  if (failure !== undefined) {
    report();
    throw failure;
  }
  return { outcome, report };
}
