// A backup of the scheduler: `holdfast agent backup` in a process of its own, so that its memory goes back with it.
//
// Every text of a definition becomes one word of the child's command line, behind `--name=` or behind `--`: what a gateway sends is never
// an option.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { BackupEnd } from "../agent/schedule/scheduler.ts";
import type { DefinedItem } from "../ingest/schedule/itemDefinition.ts";
import { ErrorCode } from "../vault/errors.ts";
import { ExitStatus } from "./cli/exitStatus.ts";

/** The words behind the program's name. */
export function backupWords(state: string, { name, definition }: DefinedItem): string[] {
  const texts = {
    include: definition.includes,
    exclude: definition.excludes,
    "include-regex": definition.includeRegexes,
    "exclude-regex": definition.excludeRegexes,
  };
  const limit = definition.limitUploadBytesPerSecond;
  return [
    ...["agent", "backup", "--json", `--state=${state}`, `--item=${name}`],
    ...Object.entries(texts).flatMap(([option, values]) => values.map((value) => `--${option}=${value}`)),
    ...(definition.excludeCaches ? ["--exclude-caches"] : []),
    ...(definition.oneFileSystem ? ["--one-file-system"] : []),
    ...(limit === null ? [] : [`--limit-upload=${limit}`]),
    ...(definition.hook === null ? [] : [`--hook=${definition.hook}`]),
    ...(definition.snapshot === null ? [] : [`--snapshot=${definition.snapshot}`]),
    "--",
    ...definition.paths,
  ];
}

/** Runs it to its end. The signal asks it to stop cleanly. `told`: of each warning, and each line that a hook printed. Never throws. */
export async function backUpByChild(
  state: string,
  item: DefinedItem,
  signal: AbortSignal,
  told: (event: Readonly<Record<string, unknown>>) => void,
): Promise<BackupEnd> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const child = spawn(
    process.execPath,
    [...process.execArgv, process.argv[1] as string, ...backupWords(state, item)],
    {
      // Its failures come as events too.
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  const stop = (): void => void child.kill("SIGTERM");
  signal.addEventListener("abort", stop, { once: true });
  let snapshot: string | undefined;
  let warnings = 0;
  let failure: { readonly code: ErrorCode; readonly message: string } | undefined;
  createInterface({ input: child.stdout }).on("line", (line) => {
    const event = eventOf(line);
    if (event.event === "warning") {
      warnings++;
      told(event);
    } else if (event.event === "hook-output") told(event);
    else if (event.event === "done") snapshot = String(event.snapshot);
    else if (event.event === "error") failure = { code: codeOf(event.code), message: String(event.message) };
  });
  child.once("error", (error) => resolve(`it could not be started: ${error.message}`));
  // Not "exit": its output is read to the end then.
  child.once("close", (status, name) => resolve(`it ended with ${name ?? `status ${status}`}`));
  const ended = await promise;
  signal.removeEventListener("abort", stop);
  const isDone = child.exitCode === ExitStatus.done || child.exitCode === ExitStatus.warnings;
  if (isDone && snapshot !== undefined) return { end: "snapshot", snapshot, warnings };
  if (signal.aborted) return { end: "stopped" };
  if (failure?.code === ErrorCode.busy) return { end: "busy" };
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
