// One run of a backup: compare with the previous snapshot, read what changed, upload, commit.
//
// Nothing is visible at the gateway before the commit, and the commit comes after everything the snapshot reaches was
// acknowledged as durable. A run that is killed leaves uploaded chunks behind, which the next run finds by asking.

import { ErrorCode, type HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { openSnapshot } from "../../vault/snapshot.ts";
import { Filter } from "../source/filter.ts";
import { BackupRun } from "./backupRun.ts";
import { type Bases, isFirstSeries, type PreviousSnapshot } from "./baseTree.ts";
import { chooseReference } from "./reference.ts";
import type { BackupContext, BackupOutcome, BackupRequest } from "./request.ts";

/**
 * Runs a backup and commits its snapshot. A reference or previous snapshot whose pages are gone or wrong is left aside: then everything
 * is read.
 * @throws HoldfastError cancelled, and what the session fails with; nothing is committed then
 */
export async function runBackup(request: BackupRequest, context: BackupContext): Promise<BackupOutcome> {
  const filter = new Filter(request.rules);
  const previous = await openPrevious(context);
  const wanted = request.reference && (previous === undefined || isFirstSeries(previous));
  let bases: Bases = { previous, reference: wanted ? await openReference(request, context) : undefined };
  let mend = false;
  for (let attempts = 1; ; attempts++) {
    let reported = 0;
    try {
      const told = (count: number): void => {
        reported = count;
      };
      return await attempt(request, context, filter, bases, mend, told);
    } catch (error) {
      const { reference } = bases;
      if (!isBrokenPrevious(error)) throw error;
      // Somebody had stored others in the place of what this device makes: "no" is said of these now, and they are sent. What is below them is
      // looked at then.
      if (isLack(error) && reported > 0 && attempts < attemptsMax) {
        mend = true;
        continue;
      }
      // Where the gateway turns out to lack something of the previous snapshot, just that is looked for and sent. Without one it lacks what it
      // said it had before it was restarted: asked once more, it says what is so now.
      if (!mend && isLack(error) && (bases.previous !== undefined || reference === undefined)) {
        mend = true;
        continue;
      }
      if ((bases.previous ?? reference) === undefined) throw error;
      const what =
        reference === undefined
          ? "the previous snapshot"
          : `snapshot ${reference.id.slice(0, 16)} of ${reference.device}`;
      const rest =
        reference !== undefined && previous !== undefined ? "going on without it" : "reading everything";
      context.warn(Buffer.alloc(0), `${what} cannot be built on (${error.message}); ${rest}`);
      bases = { previous: reference === undefined ? undefined : previous, reference: undefined };
    }
  }
}

/** So often a run begins anew where it found that the gateway was told lies. */
const attemptsMax = 6;

function isLack({ code }: HoldfastError): boolean {
  return code === ErrorCode.missingChunks || code === ErrorCode.missingRefs;
}

async function openReference(
  { item, paths }: BackupRequest,
  { session, keys, host }: BackupContext,
): Promise<Bases["reference"]> {
  return chooseReference({ session, keys, host, item, paths: paths.map(({ path }) => path) });
}

function isBrokenPrevious(error: unknown): error is HoldfastError {
  const codes: readonly string[] = [
    ErrorCode.missingRefs,
    ErrorCode.missingChunks,
    ErrorCode.chunkMissing,
    ErrorCode.chunkDamaged,
    ErrorCode.promised,
    ErrorCode.corrupt,
    ErrorCode.truncated,
    ErrorCode.sealInvalid,
    ErrorCode.idMismatch,
  ];
  return isHoldfastError(error) && codes.includes(error.code);
}

async function openPrevious(context: BackupContext): Promise<PreviousSnapshot | undefined> {
  const { session, keys } = context;
  if (session.head === null) return undefined;
  try {
    const { header, body } = openSnapshot(keys, await session.snapshotObject(session.head));
    const { root, group, sequence, flags } = header;
    return { root: Buffer.from(root), body, group, sequence, incomplete: flags.incomplete };
  } catch (error) {
    // A box goes on behind a snapshot that its datacentre has: everything is read, as it should be.
    if (isHoldfastError(error, ErrorCode.notFound)) return undefined;
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
  bases: Bases,
  mend: boolean,
  told: (reported: number) => void,
): Promise<BackupOutcome> {
  const run = new BackupRun(request, context, filter, bases, mend);
  try {
    return await run.backup();
  } finally {
    told(run.reported);
    await run.close();
  }
}
