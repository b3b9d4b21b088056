// A backup of the scheduler: `holdfast agent backup` in a process of its own, so that its memory goes back with it.
//
// Every text of a definition becomes one word of the child's command line, behind `--name=` or behind `--`: what a gateway sends is never
// an option.

import { type ChildProcess, spawn } from "node:child_process";
import { constants, setPriority } from "node:os";
import { createInterface } from "node:readline";
import type { Counted } from "../agent/schedule/gatewayLink.ts";
import type { BackupEnd } from "../agent/schedule/scheduler.ts";
import { rateTableLimits } from "../ingest/line/rateTable.ts";
import type { DefinedItem } from "../ingest/schedule/itemDefinition.ts";
import { ErrorCode } from "../vault/errors.ts";
import { ExitStatus } from "./cli/exitStatus.ts";
import { commandVariables } from "./nodeFlags.ts";

/** The words behind the program's name. `first`: options that do not come from the definition. */
export function backupWords(
  state: string,
  { name, definition }: DefinedItem,
  first: readonly string[] = [],
): string[] {
  const texts = {
    include: definition.includes,
    exclude: definition.excludes,
    "include-regex": definition.includeRegexes,
    "exclude-regex": definition.excludeRegexes,
  };
  const { limitUploadTable: table, limitUploadBytesPerSecond: rate, timeZone } = definition;
  const limit = table ?? (rate === null ? null : Math.max(rate, rateTableLimits.rateMin));
  return [
    ...["agent", "backup", "--json", `--state=${state}`, `--item=${name}`],
    ...first,
    ...Object.entries(texts).flatMap(([option, values]) => values.map((value) => `--${option}=${value}`)),
    ...(definition.excludeCaches ? ["--exclude-caches"] : []),
    ...(definition.oneFileSystem ? ["--one-file-system"] : []),
    ...(definition.ignoreInodes === true ? ["--ignore-inode"] : []),
    ...(limit === null ? [] : [`--limit-upload=${limit}`]),
    ...(table === null ? [] : [`--time-zone=${timeZone}`]),
    ...(definition.hook === null ? [] : [`--hook=${definition.hook}`]),
    ...(definition.snapshot === null ? [] : [`--snapshot=${definition.snapshot}`]),
    ...(definition.priority === null ? [] : [`--priority=${definition.priority}`]),
    ...(definition.program === null ? [] : [`--named-program=${definition.program}`]),
    "--",
    ...definition.paths,
  ];
}

/** What an item's first snapshot will hold: `holdfast agent backup --estimate` among the words, behind everything else that wants the processor. Never throws. */
export async function countByChild(
  words: readonly string[],
  signal: AbortSignal,
): Promise<Counted | undefined> {
  let counted: Counted | undefined;
  const { child, ended } = runChild(words, signal, ({ event, files, bytes, complete }) => {
    if (event === "done" && typeof files === "number" && typeof bytes === "number")
      counted = { files, bytes, complete: complete === true };
  });
  try {
    setPriority(child.pid ?? 0, constants.priority.PRIORITY_LOW);
  } catch {
    // It is over already, or it may not: it is counted all the same.
  }
  await ended;
  return counted;
}

/** Starts a child by the words of its command line, and reads its events. The signal asks it to stop. `ended`: why it is over, in words. */
function runChild(
  words: readonly string[],
  signal: AbortSignal,
  heard: (event: Readonly<Record<string, unknown>>) => void,
): { readonly child: ChildProcess; readonly ended: Promise<string> } {
  const { promise, resolve } = Promise.withResolvers<string>();
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1] as string, ...words], {
    // Its failures come as events too.
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...commandVariables, ...process.env },
  });
  const stop = (): void => void child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  createInterface({ input: child.stdout }).on("line", (line) => heard(eventOf(line)));
  child.once("error", (error) => resolve(`it could not be started: ${error.message}`));
  // Not "exit": its output is read to the end then.
  child.once("close", (status, name) => resolve(`it ended with ${name ?? `status ${status}`}`));
  return { child, ended: promise.finally(() => signal.removeEventListener("abort", stop)) };
}

/** Runs it to its end. The signal asks it to stop cleanly. `told`: of each warning, and each line that a hook printed. Never throws. */
export async function backUpByChild(
  words: readonly string[],
  signal: AbortSignal,
  told: (event: Readonly<Record<string, unknown>>) => void,
): Promise<BackupEnd> {
  let snapshot: string | undefined;
  let warnings = 0;
  let failure: { readonly code: ErrorCode; readonly message: string } | undefined;
  const { child, ended: end } = runChild(words, signal, (event) => {
    if (event.event === "warning") {
      warnings++;
      told(event);
    } else if (event.event === "hook-output") told(event);
    else if (event.event === "done") snapshot = String(event.snapshot);
    else if (event.event === "error") failure = { code: codeOf(event.code), message: String(event.message) };
  });
  const ended = await end;
  const isDone = child.exitCode === ExitStatus.done || child.exitCode === ExitStatus.warnings;
  if (isDone && snapshot !== undefined) return { end: "snapshot", snapshot, warnings };
  if (signal.aborted) return { end: "stopped" };
  if (failure?.code === ErrorCode.busy) return { end: "busy" };
  if (failure?.code === ErrorCode.backupCancelled) return { end: "cancelled" };
  return { end: "failed", ...(failure ?? { code: ErrorCode.internal, message: ended }) };
}

function eventOf(line: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // What another program wrote there.
  }
  return {};
}

function codeOf(code: unknown): ErrorCode {
  return Object.values(ErrorCode).find((each) => each === code) ?? ErrorCode.internal;
}
