// holdfast agent backup --program

import type { BackupOutcome, BackupRequest } from "../../agent/backup/request.ts";
import { displayPath } from "../../agent/platform/systemError.ts";
import { programFailed } from "../../agent/program/shellCommand.ts";
import type { AgentConnection } from "../../agent/session/connection.ts";
import { newestOf } from "../../agent/session/snapshotList.ts";
import { noLimits } from "../../agent/source/portion.ts";
import { checkName } from "../../ingest/wire/names.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { isLegalName } from "../../vault/tree/entry.ts";
import type { Arguments } from "../cli/arguments.ts";
import type { CommandContext } from "../cli/command.ts";
import type { Output } from "../cli/output/output.ts";
import { formatBytes } from "../cli/units.ts";
import { commandLimits } from "../commandLimits.ts";

const idleSecondsUsual = 3600;

function usage(message: string, next: string): HoldfastError {
  return new HoldfastError(ErrorCode.usage, message, { next });
}

/**
 * The request of a command line with --program; `written` are its own words, without what config.toml adds to backups of files. Undefined
 * for one without.
 * @throws HoldfastError usage
 */
export function programRequest(context: CommandContext, written: Arguments): BackupRequest | undefined {
  const { args } = context;
  const command = written.text("program");
  if (command === undefined && written.text("named-program") !== undefined)
    throw usage("[programs.NAME] says no program", "Write program = 'COMMAND' there, and as = 'FILENAME'.");
  if (command === undefined) {
    const alone = (["as"] as const).find((name) => written.text(name) !== undefined);
    if (alone !== undefined || written.flag("keep-failed"))
      throw usage(`--${alone ?? "keep-failed"} goes with --program`, "Add --program 'COMMAND'.");
    return undefined;
  }
  checkWritten(written);
  const item = written.text("item");
  if (item === undefined) throw usage("a program's output is an item of its own", "Name it: --item db, say.");
  const name = Buffer.from(written.requiredText("as"));
  if (!isLegalName(name))
    throw usage(
      `not the name of a file: --as ${name.toString()}`,
      "It is one name, without a slash: --as db.sql",
    );
  if (command.trim() === "")
    throw usage("--program is empty", "Write a command line: --program 'pg_dump shop'");
  const bytesMax = args.bytes("max-bytes");
  if (bytesMax === 0) throw usage("--max-bytes 0 lets nothing be written", "Write it like 100GiB.");
  return {
    paths: [{ path: Buffer.concat([Buffer.from("/"), name]), resolvedFrom: undefined }],
    item: checkName(item, "item"),
    rules: {},
    rescan: false,
    reference: false,
    oneFileSystem: false,
    excludeCaches: false,
    limits: noLimits,
    chunker: (args.text("chunker") ?? "auto-1") as BackupRequest["chunker"],
    program: {
      command,
      name,
      limits: commandLimits(args, idleSecondsUsual),
      bytesMax,
      keepFailed: args.flag("keep-failed"),
      environment: context.environment,
    },
  };
}

const ofFiles = {
  texts: ["include", "exclude", "include-regex", "exclude-regex"],
  flags: ["exclude-caches", "one-file-system", "ignore-inode", "rescan", "cycle", "estimate"],
} as const;

/** What chooses files says nothing of a program's output. */
function checkWritten(written: Arguments): void {
  const wrong =
    ofFiles.texts.find((name) => written.texts(name).length > 0) ??
    ofFiles.flags.find((name) => written.flag(name)) ??
    (written.bytes("limit-size") === undefined ? undefined : "limit-size") ??
    (written.duration("limit-time") === undefined ? undefined : "limit-time");
  if (wrong !== undefined)
    throw usage(`--${wrong} is for files, and --program takes none`, "Leave one of them out.");
  if (written.operands.length > 0)
    throw usage("--program is backed up by itself", `Leave ${written.operands[0]} out, or --program.`);
}

/** Tells what would be run; runs nothing. */
export async function reportProgramDryRun(
  { item, paths, program }: BackupRequest,
  output: Output,
  connection: AgentConnection,
): Promise<void> {
  const path = displayPath(paths[0]?.path as Buffer);
  const before = await newestOf(connection, item);
  const bytes = before === undefined || before.header.flags.incomplete ? undefined : before.body.bytes;
  const last = bytes === undefined ? "" : ` The last snapshot has ${formatBytes(bytes)}.`;
  output.line(`Would run: ${program?.command}`);
  output.line(`Its output would be ${path} of item ${item}.${last} Nothing was run or sent.`);
  output.event({ event: "would", action: "run", command: program?.command, path });
  output.event({
    event: "done",
    dry_run: true,
    item,
    path,
    last_bytes: bytes ?? null,
    warnings: output.warnings,
  });
}

/** What a run fails with whose snapshot was kept of a program that failed. */
export function programFailure({ program, snapshot }: BackupOutcome): HoldfastError | undefined {
  if (program?.failed === undefined) return undefined;
  const { code, message, next } = programFailed(program.failed);
  const name = snapshot.slice(0, 16);
  return new HoldfastError(code, `${message}; snapshot ${name} is kept, and marked as failed`, {
    ...(next !== undefined && { next }),
    detail: { snapshot },
  });
}
