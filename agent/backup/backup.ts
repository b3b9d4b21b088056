// One run of a backup: compare with the previous snapshot, read what changed, upload, commit.
//
// Nothing is visible at the gateway before the commit, and the commit comes after everything the snapshot reaches was
// acknowledged as durable. A run that is killed leaves uploaded chunks behind, which the next run finds by asking.

import { ErrorCode, type HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { openSnapshot } from "../../vault/snapshot.ts";
import { Filter } from "../source/filter.ts";
import { BackupRun } from "./backupRun.ts";
import type { BaseSnapshot } from "./baseTree.ts";
import { chooseReference } from "./reference.ts";
import type { BackupContext, BackupOutcome, BackupRequest } from "./request.ts";

/**
 * Runs a backup and commits its snapshot. A previous or reference snapshot whose pages are gone or wrong is left aside: then everything
 * is read.
 * @throws HoldfastError cancelled, and what the session fails with; nothing is committed then
 */
export async function runBackup(request: BackupRequest, context: BackupContext): Promise<BackupOutcome> {
  const filter = new Filter(request.rules);
  const base = (await openPrevious(context)) ?? (await openReference(request, context));
  try {
    return await attempt(request, context, filter, base);
  } catch (error) {
    if (base === undefined || !isBrokenPrevious(error)) throw error;
    const what =
      base.kind === "previous"
        ? "the previous snapshot"
        : `snapshot ${base.id.slice(0, 16)} of ${base.device}`;
    context.warn(Buffer.alloc(0), `${what} cannot be built on (${error.message}); reading everything`);
    return attempt(request, context, filter, undefined);
  }
}

async function openReference(
  { reference, item, paths }: BackupRequest,
  { session, keys, host }: BackupContext,
): Promise<BaseSnapshot | undefined> {
  if (!reference) return undefined;
  return chooseReference({ session, keys, host, item, paths: paths.map(({ path }) => path) });
}

function isBrokenPrevious(error: unknown): error is HoldfastError {
  const codes: readonly string[] = [
    ErrorCode.missingRefs,
    ErrorCode.missingChunks,
    ErrorCode.chunkMissing,
    ErrorCode.chunkDamaged,
    ErrorCode.corrupt,
    ErrorCode.truncated,
    ErrorCode.sealInvalid,
    ErrorCode.idMismatch,
  ];
  return isHoldfastError(error) && codes.includes(error.code);
}

async function openPrevious(context: BackupContext): Promise<BaseSnapshot | undefined> {
  const { session, keys } = context;
  if (session.head === null) return undefined;
  try {
    const { header, body } = openSnapshot(keys, await session.snapshotObject(session.head));
    return {
      kind: "previous",
      root: Buffer.from(header.root),
      body,
      group: header.group,
      incomplete: header.flags.incomplete,
    };
  } catch (error) {
    if (!isBrokenPrevious(error)) throw error;
    context.warn(
      Buffer.alloc(0),
      `the previous snapshot cannot be read (${error.message}); reading everything`,
    );
    return undefined;
  }
}

async function attempt(
  request: BackupRequest,
  context: BackupContext,
  filter: Filter,
  base: BaseSnapshot | undefined,
): Promise<BackupOutcome> {
  const run = new BackupRun(request, context, filter, base);
  try {
    return await run.backup();
  } finally {
    await run.close();
  }
}
