// Everything that lives for one attempt at a backup, wired together: walk, readers, upload, commit.
//
// Invariant: the commit comes after the metadata drained, and metadata drains only after the data it names was
// acknowledged. The first failure of any part goes to `failure`, which guards every wait and every call of the run: after it
// nothing is asked, sent or committed.

import { randomInt } from "node:crypto";
import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { RecordType } from "../../vault/magic.ts";
import { selectEngines } from "../platform/engines.ts";
import { emptySweepState, readSweepState } from "../source/bundleSweep.ts";
import type { Filter } from "../source/filter.ts";
import type { PageCache } from "../source/pageCache.ts";
import { Portion } from "../source/portion.ts";
import { joinPath, type WalkOptions } from "../source/walk.ts";
import { ChunkUpload } from "../upload/chunkUpload.ts";
import { EmptyGroup } from "../upload/emptyGroup.ts";
import { MetadataUpload } from "../upload/metadataUpload.ts";
import { opened, wrongRecord } from "../upload/readBack.ts";
import { RecordSender } from "../upload/recordSender.ts";
import { ReferenceContent } from "../upload/referenceContent.ts";
import { resending, whileRunning } from "../upload/resend.ts";
import { type Bases, estimateBy, portionAfter, previousTree, ReferenceTree } from "./baseTree.ts";
import { Failure, stopped } from "./failure.ts";
import { recordsToMend } from "./mending.ts";
import { leaveHints } from "./nextRunHints.ts";
import { keepPages, openCache, PageSealing } from "./pageSealing.ts";
import { lieOf } from "./reference.ts";
import { TreeMending } from "./refusedCommit.ts";
import type { BackupContext, BackupOutcome, BackupRequest } from "./request.ts";
import { encodeRunSnapshot, guardFigures, noteCommit } from "./runSnapshot.ts";
import { type TreeSource, treeSource } from "./treeSource.ts";
import { WorkerPool } from "./workerPool.ts";

const progressMs = 200;
const compressionLevel = 2;
const readBackOneInUsual = 32;

/** One attempt; use it once and close it. */
export class BackupRun {
  readonly #request: BackupRequest;
  readonly #context: BackupContext;
  readonly #bases: Bases;
  /** The gateway refused something of the previous snapshot that it lacks. */
  readonly #mend: boolean;
  readonly #startedMs: number;
  readonly #failure = new Failure();
  readonly #pool: WorkerPool;
  readonly #sender: RecordSender;
  readonly #chunks: ChunkUpload;
  readonly #metadata: MetadataUpload;
  readonly #pages: PageSealing;
  readonly #mending: TreeMending;
  readonly #closeEngines: () => void;
  readonly #cache: PageCache;
  readonly #sweep: ReturnType<typeof readSweepState>;
  /** Bundles that files are to leave: hardly used, or lost at the gateway. */
  readonly #move: Set<string>;
  readonly #previous: WalkOptions["previous"];
  readonly #reference: ReferenceTree | undefined;
  readonly #known: ReferenceContent | undefined;
  readonly #portion: Portion;
  readonly #source: TreeSource;
  readonly #onAbort: () => void;
  readonly #onWrong = (id: Buffer, writer: string | undefined): void =>
    this.#warn(Buffer.alloc(0), wrongRecord(id, writer));
  #warnings = 0;

  constructor(request: BackupRequest, context: BackupContext, filter: Filter, bases: Bases, mend: boolean) {
    this.#mend = mend;
    this.#request = request;
    this.#context = context;
    this.#bases = bases;
    const { previous, reference } = bases;
    // What changes from now on must not pass for unchanged the next time.
    this.#startedMs = context.taken?.timeMs ?? context.nowMs();
    const { session, keys, readBackOneIn = readBackOneInUsual } = context;
    const [{ group }, failure] = [session, this.#failure];
    const fail = (error: unknown): void => failure.fail(error);
    this.#onAbort = () => fail(stopped());
    if (context.signal.aborted) this.#onAbort();
    context.signal.addEventListener("abort", this.#onAbort);
    const sleep = (ms: number): Promise<void> => failure.sleep(ms);
    // Before the workers start: what fails here leaves nothing running.
    const engines = selectEngines();
    this.#closeEngines = engines.close;
    this.#cache = openCache(context, engines);
    this.#pool = new WorkerPool({ keys, group, chunker: request.chunker, compressionLevel, engines }, fail);
    // Whoever begins again has sent something.
    const empty = new EmptyGroup(session.empty && !mend);
    const port = empty.watched(resending(whileRunning(session, failure), sleep));
    this.#sender = new RecordSender(port, context.bodyBytesMax);
    this.#chunks = new ChunkUpload({
      port,
      pool: this.#pool,
      sender: this.#sender,
      group: empty,
      sample: () => randomInt(readBackOneIn) === 0,
      verify: (id, record) => this.#opened(id, record) !== undefined,
      onWrong: this.#onWrong,
      onError: fail,
    });
    this.#metadata = new MetadataUpload(port, this.#chunks, fail);
    this.#pages = new PageSealing({
      keys,
      group,
      metadata: this.#metadata,
      cache: this.#cache,
      compressionLevel,
      engines,
    });
    const mending = { upload: port, cache: this.#cache, pages: this.#pages, onWrong: this.#onWrong };
    this.#mending = new TreeMending({ keys, group, session, ...mending });
    this.#sweep = previous === undefined ? emptySweepState : readSweepState(this.#sweepPath);
    this.#move = new Set(this.#sweep.move);
    // Ids belong to a group: after a move to another one nothing of the old tree can be referred to.
    if (previous?.group === group && request.program === undefined)
      this.#previous = previousTree(previous, this.#cache, session, keys);
    if (reference !== undefined) {
      this.#reference = new ReferenceTree(reference, this.#cache, session, keys);
      this.#known = new ReferenceContent({
        port,
        ask: (id) => this.#chunks.ask(id),
        open: (id, record) => this.#opened(id, record),
        onWrong: this.#onWrong,
        fileHashKey: keys.fileHashKey,
        lied: ({ path, name }) => this.#warn(joinPath(path, name), lieOf(reference)),
      });
    }
    this.#portion = new Portion(
      portionAfter(request.program === undefined ? previous : undefined),
      request.limits,
      () => performance.now(),
    );
    this.#source = treeSource({
      request,
      context,
      keys,
      filter,
      pool: this.#pool,
      chunks: this.#chunks,
      metadata: this.#metadata,
      pages: this.#pages,
      known: this.#known,
      previous: this.#previous,
      reference: this.#reference?.walked,
      hadFiles: (previous?.body.files ?? 0) > 0,
      portion: this.#portion,
      move: this.#move,
      warn: (path, what) => this.#warn(path, what),
      failure,
    });
  }

  async backup(): Promise<BackupOutcome> {
    const failure = this.#failure;
    failure.check();
    const timer = setInterval(() => this.#report(), progressMs);
    try {
      const paths = this.#request.paths.map(({ path }) => path);
      await this.#previous?.tree.prefetch(this.#previous.root.id);
      await this.#reference?.prefetch(paths);
      if (this.#previous !== undefined) {
        const lost = recordsToMend({
          session: this.#context.session,
          previous: this.#previous,
          tokenKnown: this.#sweep.cacheToken,
          refused: this.#mend,
          rescan: this.#request.rescan,
          ask: (id) => this.#chunks.ask(id),
        });
        for (const id of await failure.guard(lost)) this.#move.add(id);
      }
      const root = await this.#source.make();
      await failure.guard(this.#metadata.drained());
      await failure.guard(this.#chunks.drained());
      failure.check();
      const outcome = await this.#mending.commit(root.id, () => this.#commit(root.id));
      await leaveHints({
        cache: this.#cache,
        sweepPath: this.#sweepPath,
        sweep: this.#sweep,
        root: root.id,
        complete: !this.#portion.closed,
        treeBytes: this.#source.counts.bytes,
        bytesRead: this.#bases.previous === undefined ? 0 : this.#source.counts.bytesRead,
        cacheToken: this.#context.session.cacheToken,
        warn: (what) => this.#context.warn(Buffer.alloc(0), what),
      });
      this.#report();
      return outcome;
    } catch (error) {
      keepPages(this.#cache);
      throw error;
    } finally {
      clearInterval(timer);
    }
  }

  async close(): Promise<void> {
    this.#context.signal.removeEventListener("abort", this.#onAbort);
    // Whatever still waits for an answer must not go on.
    this.#failure.fail(new HoldfastError(ErrorCode.cancelled, "the backup is over"));
    await this.#source.stop();
    await this.#pool.close();
    this.#source.close();
    // Pages that still wait cannot be sealed any more.
    this.#closeEngines();
    this.#cache.close();
  }

  /** The content of a data record; undefined where it is not what its id says. */
  #opened(expectedId: Buffer, record: Buffer): Buffer | undefined {
    const { keys, session } = this.#context;
    return opened({ keys, group: session.group, record, expectedId, expectedType: RecordType.data })
      ?.plaintext;
  }

  /** Records that were reported since they kept a commit from being accepted. */
  get reported(): number {
    return this.#mending.reported;
  }

  #warn(path: Uint8Array, what: string): void {
    this.#warnings += 1;
    this.#context.warn(path, what);
  }

  async #commit(root: Buffer): Promise<BackupOutcome> {
    const { session, keys, device, agentVersion, host } = this.#context;
    const { counts } = this.#source;
    const { number: portion, stopped } = this.#portion;
    const program = this.#source.program();
    const sequence = session.sequence + 1;
    await this.#context.taken?.stillWhole();
    const { snapshot, received } = await session.commit(
      encodeRunSnapshot({
        session,
        keys,
        device,
        agentVersion,
        host,
        request: this.#request,
        startedMs: this.#startedMs,
        warnings: this.#warnings,
        sequence,
        counts,
        incompletePortion: stopped === undefined ? undefined : portion,
        program,
        root,
      }),
      guardFigures(counts, this.#warnings, this.#chunks, this.#previous && this.#bases.previous?.body.files),
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
      readBackBytes: this.#chunks.readBackBytes + (this.#known?.readBytes ?? 0),
      portion,
      stopped,
      program,
      hadPrevious: this.#bases.previous !== undefined,
      reference: this.#known === undefined ? undefined : this.#reference?.use(this.#known),
    };
  }

  get #sweepPath(): string {
    return `${this.#context.cachePath}.sweep`;
  }

  #report(): void {
    this.#context.progress({
      counts: this.#source.counts,
      sentBytes: this.#sender.sentBytes + this.#metadata.sentBytes,
      ...estimateBy(this.#bases.previous),
      portion: this.#portion.number,
    });
  }
}
