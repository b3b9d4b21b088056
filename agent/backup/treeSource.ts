// Where a run's tree comes from: a walk over the named paths, or the output of a program.

import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { RecordType } from "../../vault/magic.ts";
import { selectPlatform } from "../platform/select.ts";
import { type ProgramRequest, ProgramTree } from "../program/programTree.ts";
import { Backlog } from "../source/directoryBuild.ts";
import { firstDeviceOf } from "../source/entryDraft.ts";
import { FileIntake, type KnownContent } from "../source/fileIntake.ts";
import type { Filter } from "../source/filter.ts";
import type { Portion } from "../source/portion.ts";
import { topTree } from "../source/topPaths.ts";
import type { WalkCounts, WalkOptions } from "../source/walk.ts";
import { Walker } from "../source/walker.ts";
import type { ChunkUpload } from "../upload/chunkUpload.ts";
import type { MetadataUpload } from "../upload/metadataUpload.ts";
import type { Failure } from "./failure.ts";
import type { PageSealing } from "./pageSealing.ts";
import type { BackupContext, BackupOutcome, BackupRequest } from "./request.ts";
import type { WorkerPool } from "./workerPool.ts";

export interface TreeSource {
  /** What was seen so far. */
  readonly counts: Readonly<WalkCounts>;
  /** Resolves with the root directory's page when all content below it is named. Rejects with what the run failed with. */
  make(): Promise<{ readonly id: Buffer }>;
  /** Ends what works beside this process. Before the workers end. */
  stop(): Promise<void>;
  /** The workers must have ended. */
  close(): void;
  /** Of a program: how it ended, and what is wrong with that. */
  program(): BackupOutcome["program"];
}

export type TreeParts = {
  readonly request: BackupRequest;
  readonly context: Pick<BackupContext, "session" | "nowMs" | "taken">;
  readonly keys: VaultKeys;
  readonly filter: Filter;
  readonly pool: WorkerPool;
  readonly chunks: ChunkUpload;
  readonly metadata: MetadataUpload;
  readonly pages: PageSealing;
  readonly known: KnownContent | undefined;
  readonly previous: WalkOptions["previous"];
  readonly reference: WalkOptions["reference"];
  /** Whether the item's newest snapshot has a file. */
  readonly hadFiles: boolean;
  readonly portion: Portion;
  readonly move: ReadonlySet<string>;
  readonly warn: (path: Uint8Array, what: string) => void;
  readonly failure: Failure;
};

export function treeSource(parts: TreeParts): TreeSource {
  const { program } = parts.request;
  return program === undefined ? walked(parts) : written(parts, program);
}

function written(parts: TreeParts, program: ProgramRequest): TreeSource {
  const { request, context, keys, pool, chunks, pages, hadFiles, warn, failure } = parts;
  const path = request.paths[0]?.path as Buffer;
  const tree = new ProgramTree({
    request: program,
    pool,
    platform: selectPlatform(),
    splitTable: keys.splitTable(context.session.group),
    offer: (id, place) => chunks.offer(id, place),
    emitExtents: (plaintext, refs) => pages.emit(RecordType.extents, plaintext, refs),
    emitDirectory: (plaintext, refs) => pages.emit(RecordType.directory, plaintext, refs),
    wasThere: hadFiles,
    warn: (what) => warn(path, what),
    failure,
    nowMs: context.nowMs,
    steadyMs: () => performance.now(),
  });
  return {
    counts: tree.counts,
    make: () => tree.make(),
    stop: () => tree.stop(),
    close: () => tree.close(),
    program: () => tree.end && { end: tree.end, failed: tree.failed },
  };
}

function walked(parts: TreeParts): TreeSource {
  const { request, keys, pool, chunks, metadata, pages, known, failure, previous } = parts;
  const { session } = parts.context;
  const splitTable = keys.splitTable(session.group);
  const intake = new FileIntake({
    pool,
    splitTable,
    offer: (id, place) => chunks.offer(id, place),
    onError: (error) => failure.fail(error),
    emitExtents: (plaintext, refs) => pages.emit(RecordType.extents, plaintext, refs),
    known,
  });
  const walker = new Walker({
    platform: selectPlatform(),
    intake,
    splitTable,
    filter: parts.filter,
    emitDirectory: (plaintext, refs) => pages.emit(RecordType.directory, plaintext, refs),
    emitXattrs: (plaintext) => pages.emit(RecordType.xattrs, plaintext, Buffer.alloc(0)),
    previous,
    reference: parts.reference,
    portion: parts.portion,
    // Without rows that other runs numbered, as the first run did: then its pages are the same where the folders are.
    firstDevice: firstDeviceOf(previous === undefined ? 0 : session.sequence),
    move: parts.move,
    rescan: request.rescan,
    ignoreInodes: request.ignoreInodes === true,
    oneFileSystem: request.oneFileSystem,
    excludeCaches: request.excludeCaches,
    gatewayId: () => session.gatewayId(),
    standIns: parts.context.taken?.standIns,
    warn: parts.warn,
    breathe: () => failure.guard(metadata.room()),
    hasRoom: () => metadata.hasRoom,
    failure,
    backlog: new Backlog(),
  });
  const paths = request.paths.map(({ path }) => path);
  return {
    counts: walker.counts,
    make: () => walker.walk(topTree(paths)),
    stop: async () => undefined,
    close: () => walker.close(),
    program: () => undefined,
  };
}
