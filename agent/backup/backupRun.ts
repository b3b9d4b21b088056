// Everything that lives for one attempt at a backup, wired together: walk, readers, upload, commit.
//
// Invariant: the commit comes after the metadata drained, and metadata drains only after the data it names was
// acknowledged. The first failure of any part goes to `failure`, which guards every wait and every call of the run: after it
// nothing is asked, sent or committed.

import { randomInt } from "node:crypto";
import { toHex } from "../../vault/bytes.ts";
import { chunkId } from "../../vault/chunkId.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { RecordType } from "../../vault/magic.ts";
import { sealRecord } from "../../vault/record.ts";
import type { SnapshotBody } from "../../vault/snapshot.ts";
import { selectPlatform } from "../platform/select.ts";
import { emptySweepState, lostBundles, readSweepState, sweepBundles } from "../source/bundleSweep.ts";
import { Backlog } from "../source/directoryBuild.ts";
import { FileIntake } from "../source/fileIntake.ts";
import type { Filter } from "../source/filter.ts";
import { PageCache } from "../source/pageCache.ts";
import { PreviousTree } from "../source/previousTree.ts";
import { topTree } from "../source/topPaths.ts";
import type { WalkOptions } from "../source/walk.ts";
import { Walker } from "../source/walker.ts";
import { ChunkUpload } from "../upload/chunkUpload.ts";
import { MetadataUpload } from "../upload/metadataUpload.ts";
import { RateLimit } from "../upload/rateLimit.ts";
import { opens } from "../upload/readBack.ts";
import { RecordSender } from "../upload/recordSender.ts";
import { resending, whileRunning } from "../upload/resend.ts";
import { Failure } from "./failure.ts";
import { previousPages } from "./previousPages.ts";
import type { BackupContext, BackupOutcome, BackupRequest } from "./request.ts";
import { encodeRunSnapshot, noteCommit } from "./runSnapshot.ts";
import { WorkerPool } from "./workerPool.ts";

const progressMs = 200;
const compressionLevel = 2;
/** One in so many chunks that the gateway already has is read back and verified. */
const readBackOneIn = 32;

/** The item's newest snapshot: what the run compares with. */
export type PreviousSnapshot = { readonly root: Buffer; readonly body: SnapshotBody; readonly group: number };

/** One attempt; use it once and close it. */
export class BackupRun {
  readonly #request: BackupRequest;
  readonly #context: BackupContext;
  readonly #previous: PreviousSnapshot | undefined;
  readonly #startedMs: number;
  readonly #failure = new Failure();
  readonly #pool: WorkerPool;
  readonly #sender: RecordSender;
  readonly #chunks: ChunkUpload;
  readonly #metadata: MetadataUpload;
  readonly #cache: PageCache;
  readonly #sweep: ReturnType<typeof readSweepState>;
  /** Bundles that files are to leave: hardly used, or lost at the gateway. */
  readonly #move: Set<string>;
  readonly #tree: WalkOptions["previous"];
  readonly #walker: Walker;
  readonly #onAbort: () => void;
  #warnings = 0;

  constructor(
    request: BackupRequest,
    context: BackupContext,
    filter: Filter,
    previous: PreviousSnapshot | undefined,
  ) {
    this.#request = request;
    this.#context = context;
    this.#previous = previous;
    this.#startedMs = context.nowMs();
    const { session, keys } = context;
    const { group } = session;
    const failure = this.#failure;
    const fail = (error: unknown): void => failure.fail(error);
    this.#onAbort = () =>
      fail(
        new HoldfastError(ErrorCode.cancelled, "the backup was stopped", {
          next: "Run it again: it goes on where it stopped.",
        }),
      );
    if (context.signal.aborted) this.#onAbort();
    context.signal.addEventListener("abort", this.#onAbort);
    const sleep = (ms: number): Promise<void> => failure.sleep(ms);
    const limit = request.limitUploadBytesPerSecond;
    const rate = limit === undefined ? undefined : new RateLimit(limit, () => performance.now(), sleep);
    // Before the workers start: what fails here leaves nothing running.
    this.#cache = PageCache.open({
      path: context.cachePath,
      vaultId: keys.vaultId,
      group,
      idKey: keys.idKey(group),
    });
    this.#pool = new WorkerPool(
      { secrets: keys.export(), group, chunker: request.chunker, compressionLevel },
      fail,
    );
    const port = resending(whileRunning(session, failure), sleep);
    this.#sender = new RecordSender(port, rate);
    this.#chunks = new ChunkUpload({
      port,
      pool: this.#pool,
      sender: this.#sender,
      sample: () => randomInt(readBackOneIn) === 0,
      verify: (id, record) => opens({ keys, group, record, expectedId: id, expectedType: RecordType.data }),
      onError: fail,
    });
    this.#metadata = new MetadataUpload(port, this.#chunks, fail, rate);
    this.#sweep = previous === undefined ? emptySweepState : readSweepState(this.#sweepPath);
    this.#move = new Set(this.#sweep.move);
    this.#tree = this.#usablePrevious(previous);
    this.#walker = this.#makeWalker(filter);
  }

  async backup(): Promise<BackupOutcome> {
    const failure = this.#failure;
    failure.check();
    const timer = setInterval(() => this.#report(), progressMs);
    try {
      const old = this.#tree;
      if (old !== undefined) await old.tree.prefetch(old.root.id);
      if (old !== undefined && this.#request.rescan) {
        // Mends what was lost; chunks of large files are asked for as they are read.
        const lost = lostBundles(old.tree, old.root.id, (id) => this.#chunks.ask(id));
        for (const id of await failure.guard(lost)) this.#move.add(id);
      }
      const root = await this.#walker.walk(topTree(this.#request.paths.map(({ path }) => path)));
      await failure.guard(this.#metadata.drained());
      await failure.guard(this.#chunks.drained());
      failure.check();
      const outcome = await this.#commit(root.id);
      await this.#leaveHints(root.id);
      this.#report();
      return outcome;
    } catch (error) {
      this.#keepPages();
      throw error;
    } finally {
      clearInterval(timer);
    }
  }

  async close(): Promise<void> {
    this.#context.signal.removeEventListener("abort", this.#onAbort);
    // Whatever still waits for an answer must not go on.
    this.#failure.fail(new HoldfastError(ErrorCode.cancelled, "the backup is over"));
    await this.#pool.close();
    this.#walker.close();
    this.#cache.close();
  }

  /** Pages that a failed run made are worth having; that they cannot be written is not what it failed with. */
  #keepPages(): void {
    try {
      this.#cache.finish(false);
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
    }
  }

  /** Ids belong to a group: after a move to another one nothing of the old tree can be referred to. */
  #usablePrevious(previous: PreviousSnapshot | undefined): WalkOptions["previous"] {
    const { session, keys } = this.#context;
    if (previous === undefined || previous.group !== session.group) return undefined;
    const { group, root, body } = previous;
    const pages = previousPages({ keys, group, read: (ids) => session.read(ids) });
    return {
      tree: new PreviousTree(this.#cache, pages),
      root: { id: root, plainLength: 0 },
      timeMs: Date.parse(body.time),
    };
  }

  #makeWalker(filter: Filter): Walker {
    const { session, keys } = this.#context;
    const splitTable = keys.splitTable(session.group);
    const intake = new FileIntake({
      pool: this.#pool,
      splitTable,
      offer: (id, place) => this.#chunks.offer(id, place),
      onError: (error) => this.#failure.fail(error),
      emitExtents: (plaintext, refs) => this.#emit(RecordType.extents, plaintext, refs),
    });
    return new Walker({
      platform: selectPlatform(),
      intake,
      splitTable,
      filter,
      emitDirectory: (plaintext, refs) => this.#emit(RecordType.directory, plaintext, refs),
      emitXattrs: (plaintext) => this.#emit(RecordType.xattrs, plaintext, Buffer.alloc(0)),
      previous: this.#tree,
      move: this.#move,
      rescan: this.#request.rescan,
      oneFileSystem: this.#request.oneFileSystem,
      excludeCaches: this.#request.excludeCaches,
      warn: (path, what) => {
        this.#warnings += 1;
        this.#context.warn(path, what);
      },
      breathe: () => this.#failure.guard(this.#metadata.room()),
      hasRoom: () => this.#metadata.hasRoom,
      failure: this.#failure,
      backlog: new Backlog(),
    });
  }

  #emit(type: RecordType, plaintext: Buffer, refs: Buffer): Buffer {
    const { keys, session } = this.#context;
    const id = chunkId(keys.idKey(session.group), type, refs, plaintext);
    const isNew = this.#metadata.add(id, refs, plaintext.length + refs.length, () =>
      sealRecord({ keys, group: session.group, type, plaintext, refs, id, compressionLevel }),
    );
    if (isNew && type === RecordType.directory && this.#cache.get(id) === undefined) {
      this.#cache.put(id, { plaintext, refs });
    }
    return id;
  }

  async #commit(root: Buffer): Promise<BackupOutcome> {
    const { session, keys, device, agentVersion } = this.#context;
    const { counts } = this.#walker;
    const sequence = session.sequence + 1;
    const { snapshot, received } = await session.commit(
      encodeRunSnapshot({
        session,
        keys,
        device,
        agentVersion,
        request: this.#request,
        startedMs: this.#startedMs,
        warnings: this.#warnings,
        sequence,
        counts,
        root,
      }),
    );
    noteCommit(session, snapshot);
    return {
      snapshot,
      received,
      root: toHex(root),
      sequence,
      counts: { ...counts },
      warnings: this.#warnings,
      newChunks: this.#chunks.newChunks + this.#metadata.sentRecords,
      sentBytes: this.#sender.sentBytes + this.#metadata.sentBytes,
      readBackBytes: this.#chunks.readBackBytes,
      hadPrevious: this.#previous !== undefined,
    };
  }

  /** The snapshot is committed: a hint for the next run that cannot be made or written must not fail this one. */
  async #leaveHints(root: Buffer): Promise<void> {
    const { bytes, bytesRead } = this.#walker.counts;
    const fetch = (): Promise<never> =>
      Promise.reject(new HoldfastError(ErrorCode.chunkMissing, "a page is not in the local cache"));
    try {
      await sweepBundles({
        path: this.#sweepPath,
        state: this.#sweep,
        tree: new PreviousTree(this.#cache, { fetch }),
        root,
        treeBytes: bytes,
        bytesRead: this.#previous === undefined ? 0 : bytesRead,
      });
      this.#cache.finish(true);
    } catch (error) {
      const { message } = error as Error;
      this.#context.warn(
        Buffer.alloc(0),
        `the snapshot is complete, but the next run may be slower: ${message}`,
      );
    }
  }

  get #sweepPath(): string {
    return `${this.#context.cachePath}.sweep`;
  }

  #report(): void {
    this.#context.progress({
      counts: this.#walker.counts,
      sentBytes: this.#sender.sentBytes + this.#metadata.sentBytes,
      expectedFiles: this.#previous?.body.files ?? 0,
      expectedBytes: this.#previous?.body.bytes ?? 0,
    });
  }
}
