// The snapshot object of a finished run, and the note that it was committed.

import type { BackupFigures } from "../../ingest/wire/figures.ts";
import { fromHex } from "../../vault/bytes.ts";
import { HoldfastError } from "../../vault/errors.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { Width } from "../../vault/magic.ts";
import { pathToText } from "../../vault/pathText.ts";
import { encodeSnapshot } from "../../vault/snapshot.ts";
import type { WalkCounts } from "../source/walk.ts";
import type { ChunkUpload } from "../upload/chunkUpload.ts";
import type { BackupContext, BackupOutcome, BackupRequest, BackupSession } from "./request.ts";

export type FinishedRun = Pick<BackupContext, "session" | "device" | "agentVersion" | "host"> & {
  readonly keys: VaultKeys;
  readonly request: BackupRequest;
  readonly startedMs: number;
  readonly warnings: number;
  readonly sequence: number;
  readonly counts: Readonly<WalkCounts>;
  /** Number in its series of incomplete snapshots, where it is one. */
  readonly incompletePortion: number | undefined;
  /** How the program ended whose output it is, and what is wrong with that. */
  readonly program: BackupOutcome["program"];
  /** Id of the root directory's page. */
  readonly root: Buffer;
};

/** The bytes to commit: it follows the session's head. */
export function encodeRunSnapshot(run: FinishedRun): Buffer {
  const { session, keys, device, agentVersion, host, request, counts, incompletePortion, program } = run;
  return encodeSnapshot({
    keys,
    header: {
      flags: { incomplete: incompletePortion !== undefined || program?.failed !== undefined },
      group: session.group,
      deviceId: fromHex(device.id, Width.deviceId),
      itemId: fromHex(session.itemId, Width.itemId),
      sequence: run.sequence,
      previous: session.head === null ? Buffer.alloc(Width.id) : fromHex(session.head, Width.id),
      root: run.root,
    },
    body: {
      time: new Date(run.startedMs).toISOString(),
      device: device.name,
      item: request.item,
      host,
      paths: request.paths.map(({ path }) => pathToText(path)),
      files: counts.files,
      dirs: counts.dirs,
      others: counts.others,
      bytes: counts.bytes,
      warnings: run.warnings,
      agent: agentVersion,
      chunker: request.chunker,
      features: { read: [] },
      ...(incompletePortion === undefined ? {} : { portion: incompletePortion }),
      ...(program === undefined ? {} : { program: program.end }),
    },
  }).bytes;
}

/** Notes a commit on this machine. What fails here says that the snapshot stands all the same. */
export function noteCommit(session: BackupSession, snapshot: string): void {
  try {
    session.remember();
  } catch (cause) {
    if (!(cause instanceof HoldfastError)) throw cause;
    throw new HoldfastError(
      cause.code,
      `snapshot ${snapshot} is committed, but not noted here: ${cause.message}`,
      {
        next: cause.next ?? "Make room for this machine's state; the next run goes on from the snapshot.",
        cause,
      },
    );
  }
}

/** What the gateway's guard, and its history, are told. `filesBefore`: of the snapshot that this one was compared with. */
export function guardFigures(
  { files, changed, added, renamed }: Readonly<WalkCounts>,
  warnings: number,
  { newBytes, rawBytes }: Pick<ChunkUpload, "newBytes" | "rawBytes">,
  filesBefore = 0,
): BackupFigures {
  // Those that are not new were there before; the others of before are gone.
  const removed = Math.max(0, filesBefore - (files - added));
  return { files, changed, added, removed, renamed, newBytes, rawBytes, warnings };
}
