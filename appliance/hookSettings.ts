// From the options of `agent backup` to what is run around it, and what it tells of that.

import type { BackupOutcome } from "../agent/backup/request.ts";
import type { HookPort, HookResult } from "../agent/hooks/hookedRun.ts";
import type { HookCommand, Hooks, ShippedSnapshot } from "../agent/hooks/hooks.ts";
import { displayPath } from "../agent/platform/systemError.ts";
import { findEnrollment } from "../agent/state/enrollment.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import type { Arguments } from "./cli/arguments.ts";
import type { CommandContext } from "./cli/command.ts";

const commandSeconds = 600;
const snapshotSeconds = 120;
/** Timers count to 2^31 ms. */
const secondsMax = 7 * 86_400;

/** Undefined where there are none. @throws HoldfastError usage */
export function hooksOf(args: Arguments): Hooks | undefined {
  const afterMs = timeoutMs(args, "after-timeout", commandSeconds);
  const hooks: Hooks = {
    before: command(args, "before", timeoutMs(args, "before-timeout", commandSeconds)),
    afterSnapshot: command(args, "after-snapshot", afterMs),
    after: command(args, "after", afterMs),
    snapshot: snapshotOf(args),
  };
  return Object.values(hooks).some((hook) => hook !== undefined) ? hooks : undefined;
}

function snapshotOf(args: Arguments): Hooks["snapshot"] {
  const limitMs = timeoutMs(args, "snapshot-timeout", snapshotSeconds);
  const kind = args.text("snapshot");
  const create = command(args, "snapshot-create", limitMs)?.text;
  const remove = command(args, "snapshot-remove", limitMs)?.text;
  if ((create === undefined) !== (remove === undefined))
    throw wrong("--snapshot-create and --snapshot-remove come together", "Name both scripts.");
  if (create !== undefined && remove !== undefined) {
    if (kind !== undefined)
      throw wrong("--snapshot and --snapshot-create exclude each other", "Leave one of them out.");
    return { scripts: { create, remove }, timeoutMs: limitMs };
  }
  if (kind === undefined || kind === "none") return undefined;
  return { scripts: kind as ShippedSnapshot | "auto", timeoutMs: limitMs };
}

function command(args: Arguments, name: string, limitMs: number): HookCommand | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  if (text.trim() === "" || text.includes("\0"))
    throw wrong(`--${name} is no command`, "Write what /bin/sh is to run, or leave it out.");
  return { text, timeoutMs: limitMs };
}

function timeoutMs(args: Arguments, name: string, usualSeconds: number): number {
  const seconds = args.duration(name) ?? usualSeconds;
  if (seconds >= 1 && seconds <= secondsMax) return seconds * 1000;
  throw wrong(`--${name} is not between 1s and 7d`, "Write it like 90s or 10m.");
}

function wrong(message: string, next: string): HoldfastError {
  return new HoldfastError(ErrorCode.usage, message, { next });
}

/** What hooks of a state directory work with, and where they say what. */
export function hookPort(
  { output, signal, environment }: Pick<CommandContext, "output" | "signal" | "environment">,
  state: string,
): HookPort {
  return {
    state,
    device: findEnrollment(state)?.device.name ?? "",
    environment,
    signal,
    nowMs: () => Date.now(),
    warn: (what) => output.warn(what),
    line: (stage, text) => {
      output.event({ event: "hook-output", stage, text });
      output.note(`${stage}: ${text}`);
    },
    live: (path) =>
      output.info(
        "is not in the snapshot of what is above it, and is read as it is: name it too",
        displayPath(path),
      ),
  };
}

/** What `after` is told of a backup that was committed. */
export function hookResult(
  { snapshot, stopped, counts, sentBytes }: BackupOutcome,
  warnings: number,
): HookResult {
  return {
    HOLDFAST_RESULT: warnings > 0 ? "warnings" : "done",
    HOLDFAST_SNAPSHOT: snapshot,
    HOLDFAST_INCOMPLETE: stopped === undefined ? "no" : "yes",
    HOLDFAST_FILES: String(counts.files),
    HOLDFAST_BYTES: String(counts.bytes),
    HOLDFAST_SENT_BYTES: String(sentBytes),
    HOLDFAST_WARNINGS: String(warnings),
  };
}
