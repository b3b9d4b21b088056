// Versions of a path: the snapshots in which its content differs from the one before.
//
// What counts is what reading it would give: a file's bytes, a link's target, for a directory everything below it, names and metadata
// included (its page's id). A file's own owner, mode, times and attributes do not count. Absence counts: what was deleted and came
// back is a new version. A snapshot that stopped at a limit (incomplete) says nothing about what it lacks.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { type DatedSnapshot, descend, type PathState, rootStates } from "./pathStates.ts";
import type { PathVersion } from "./ports.ts";
import { kindOf } from "./snapshotNodes.ts";

/** A run of snapshots with one content, from the first to the last of them. */
export type Run = {
  readonly content: string;
  first: PathState;
  readonly last: PathState;
  snapshots: number;
};

const absent = "absent";

/** The runs of a path, newest first. `states` are in order of time. What was not there yet is no run. */
export function runsOf(states: readonly PathState[]): Run[] {
  const runs: Run[] = [];
  for (const state of states.toReversed()) {
    const { snapshot, found } = state;
    if (found === undefined && snapshot.incomplete) continue;
    const content = contentOf(snapshot, found);
    const run = runs.at(-1);
    if (run?.content === content) {
      run.first = state;
      run.snapshots++;
    } else runs.push({ content, first: state, last: state, snapshots: 1 });
  }
  if (runs.at(-1)?.content === absent) runs.pop();
  return runs;
}

function contentOf(snapshot: DatedSnapshot, found: PathState["found"]): string {
  if (found === undefined) return absent;
  // What cannot be read may be anything: every such snapshot stands for itself.
  return found instanceof HoldfastError ? `unreadable ${snapshot.id}` : found.content;
}

/**
 * Versions of a path in `snapshots` (in order of time), newest first.
 * @throws HoldfastError not-found where none has it; why they cannot be opened where none can
 */
export async function* versionsOf(
  snapshots: readonly DatedSnapshot[],
  names: readonly Uint8Array[],
  signal?: AbortSignal,
): AsyncGenerator<PathVersion, void, void> {
  let states = rootStates(snapshots);
  for (const name of names) states = await descend(states, name, signal);
  const runs = runsOf(states);
  if (runs.length === 0) throw notThere(names);
  for (const run of runs) yield versionOf(run);
}

function versionOf({ first, last, snapshots }: Run): PathVersion {
  const { snapshot, found } = first;
  const run = {
    snapshot: snapshot.id,
    time: timeText(snapshot),
    folder: snapshot.folder,
    until: timeText(last.snapshot),
    snapshots,
  };
  if (found === undefined) return { ...run, ...nothing, kind: absent };
  if (found instanceof HoldfastError) return { ...run, ...nothing, kind: "unreadable", reason: found };
  const { kind, size, mtimeNs, hash } = found;
  return { ...run, kind: kindOf(kind), size, mtimeNs, hash: hash?.toString("hex"), reason: undefined };
}

const nothing = { size: 0, mtimeNs: 0n, hash: undefined, reason: undefined } as const;

function timeText({ timeMs }: DatedSnapshot): string {
  return new Date(timeMs).toISOString();
}

function notThere(names: readonly Uint8Array[]): HoldfastError {
  const path = names.map((name) => Buffer.from(name).toString("utf8")).join("/");
  return new HoldfastError(ErrorCode.notFound, `/${path} is in no snapshot of this item`, {
    next: "List a snapshot to see what there is; --item and --device choose others.",
  });
}
