// Takes in the files that must be read: plans bundles of small ones, has workers read them and large ones, and
// hands back each file's entry when its content has its chunk ids (it need not be uploaded yet).
//
// Where a reference snapshot is compared with (docs/decisions/0006), whole bundles are made first, as if there were none. Of one that the
// gateway has not, the files whose content is elsewhere at the gateway keep that place, and the others, the rest, form bundles of their own.
//
// Invariants: files join bundles in walk order; a hard link that was read once in a run is not read again; every bundle is ended by
// `flush` or soon after it, those of rests when no other is left to be decided.

import { isBundled } from "../../vault/chunk/bundle.ts";
import type { EmitPage } from "../../vault/tree/directoryWriter.ts";
import type { ChunkRef, ContentOf } from "../../vault/tree/entry.ts";
import { outcomeOf } from "../backup/bundleMessage.ts";
import type { FileOutcome, FileToOpen, Place } from "../backup/messages.ts";
import type { BundleResult, WorkerPool } from "../backup/workerPool.ts";
import { CHANGE_MARK_WORDS, type StatTable } from "../platform/statTable.ts";
import { contentParts } from "./contentParts.ts";
import { OpenBundle } from "./openBundle.ts";
import type { OpenDirectory } from "./openDirectory.ts";

const turnsMax = 8;
/** Bundles that are read or wait for an answer: bounds what directories they keep open. */
const undecidedMax = 16;

/** A file to read. `previous` is its content in the previous (or reference) snapshot, if it had any. */
export type FileToRead = {
  readonly directory: OpenDirectory;
  readonly path: Buffer;
  readonly name: Buffer;
  readonly uid: number;
  readonly size: number;
  readonly mark: Uint32Array;
  readonly previous: { readonly hash: Buffer; readonly content: ContentOf<ChunkRef> } | undefined;
};

/** What became of it: its content by ids, and what the worker found out. */
export type FileRead = {
  readonly outcome: FileOutcome;
  readonly content: ContentOf<ChunkRef> | undefined;
};

/** Finds the content of files in chunks that the gateway has, where another snapshot says it is. */
export interface KnownContent {
  /**
   * For each file of a bundle that was read, its content in other chunks than this bundle; undefined where it must be sent. All
   * undefined where the gateway has the bundle itself.
   */
  find(
    bundle: Buffer,
    files: readonly { readonly file: FileToRead; readonly outcome: FileOutcome }[],
  ): Promise<readonly (ContentOf<ChunkRef> | undefined)[]>;
}

type Waiting = { readonly file: FileToRead; readonly resolve: (read: FileRead) => void };

export type FileIntakeOptions = {
  readonly pool: WorkerPool;
  readonly splitTable: Uint32Array;
  /** Takes over a chunk whose plaintext is at `place`. */
  readonly offer: (id: Buffer, place: Place) => void;
  readonly emitExtents: EmitPage;
  readonly onError: (error: unknown) => void;
  /** Where there is one, `previous` of files is believed only as far as it finds it. */
  readonly known: KnownContent | undefined;
};

/** The words of a row that tell whether a file changed. */
export function changeMark(table: StatTable, row: number): Uint32Array {
  const mark = new Uint32Array(CHANGE_MARK_WORDS);
  table.copyChangeMark(row, mark, 0);
  return mark;
}

export class FileIntake {
  readonly #options: FileIntakeOptions;
  readonly #bundle: OpenBundle<Waiting>;
  readonly #rest: OpenBundle<Waiting>;
  #turns = 0;
  /** Only counted with `known`. */
  #undecided = 0;
  #restIsDue = false;
  #waiting: (() => void)[] = [];

  constructor(options: FileIntakeOptions) {
    this.#options = options;
    this.#bundle = new OpenBundle(options.splitTable, (bundle) => this.#readBundle(bundle, options.known));
    this.#rest = new OpenBundle(options.splitTable, (bundle) => this.#readBundle(bundle, undefined));
  }

  /** True while a file can be taken without waiting. */
  get hasRoom(): boolean {
    return this.#undecided < undecidedMax && this.#options.pool.hasRoom;
  }

  async room(): Promise<void> {
    while (!this.hasRoom) {
      if (!this.#options.pool.hasRoom) await this.#options.pool.room();
      else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Takes a file; `done` is called once. Files over a bundle's share start at once, small ones with their bundle. */
  take(file: FileToRead, done: (read: FileRead) => void): void {
    file.directory.share();
    if (isBundled(file.size)) this.#bundle.add({ file, resolve: done });
    else this.#readAlone(file, done);
  }

  /** Called now and then while the walk goes on: a bundle that stays open for long would hold up its folders. */
  age(): void {
    this.#turns += 1;
    if (this.#turns > turnsMax) this.flush();
  }

  /** Has the open bundle read although it is not full: at the end of the walk. */
  flush(): void {
    this.#turns = 0;
    this.#bundle.end();
    this.#restIsDue = true;
    this.#endRest();
  }

  /** Rests come from bundles that are decided, so their last bundle ends when none is left that could add to it. */
  #endRest(): void {
    if (!this.#restIsDue || this.#undecided > 0) return;
    this.#restIsDue = false;
    this.#rest.end();
  }

  #readBundle(bundle: readonly Waiting[], known: KnownContent | undefined): void {
    const reading = this.#options.pool.readBundle(bundle.map(({ file }) => this.#fileToOpen(file)));
    if (known === undefined) {
      reading.then((result) => this.#finishBundle(bundle, result)).catch(this.#options.onError);
      return;
    }
    this.#undecided += 1;
    reading
      .then((result) => this.#decide(bundle, result, known))
      .then(() => {
        this.#undecided -= 1;
        for (const wake of this.#waiting.splice(0)) wake();
        this.#endRest();
      })
      .catch(this.#options.onError);
  }

  #finishBundle(bundle: readonly Waiting[], result: BundleResult): void {
    const { id, place } = result;
    if (id !== undefined && place !== undefined) this.#options.offer(id, place);
    for (const [index, { file, resolve }] of bundle.entries()) {
      const outcome = outcomeOf(result.outcomes, index);
      if (outcome.apart) {
        this.#readAlone(file, resolve);
        continue;
      }
      resolve({ outcome, content: bundledContent(file, outcome, id, place?.length ?? 0) });
      file.directory.release();
    }
  }

  async #decide(bundle: readonly Waiting[], result: BundleResult, known: KnownContent): Promise<void> {
    const { id, place, outcomes } = result;
    if (id === undefined || place === undefined) return this.#finishBundle(bundle, result);
    const files = bundle.map(({ file }, index) => ({ file, outcome: outcomeOf(outcomes, index) }));
    const found = await known.find(id, files);
    if (found.every((content) => content === undefined)) return this.#finishBundle(bundle, result);
    this.#options.pool.release(place);
    for (const [index, waiting] of bundle.entries()) {
      const { file, resolve } = waiting;
      const { outcome } = files[index] as (typeof files)[number];
      if (outcome.apart) this.#readAlone(file, resolve);
      else if (outcome.offset >= 0 && found[index] === undefined) this.#rest.add(waiting);
      else {
        resolve({ outcome, content: found[index] });
        file.directory.release();
      }
    }
  }

  #readAlone(file: FileToRead, done: (read: FileRead) => void): void {
    const { offer, emitExtents } = this.#options;
    const { parts, finish } = contentParts(offer, emitExtents);
    this.#options.pool
      .readFile(this.#fileToOpen(file), parts)
      .then((outcome) => {
        const written = outcome.failed === undefined && outcome.size > 0 ? finish() : undefined;
        done({ outcome, content: written });
        file.directory.release();
      })
      .catch(this.#options.onError);
  }

  #fileToOpen(file: FileToRead): FileToOpen {
    return {
      directory: file.directory.handle.fd,
      name: file.name,
      size: file.size,
      mark: file.mark,
      // A whole bundle is wanted where another snapshot's word is still to be checked.
      previousHash: this.#options.known === undefined ? file.previous?.hash : undefined,
    };
  }
}

function bundledContent(
  file: FileToRead,
  outcome: FileOutcome,
  id: Buffer | undefined,
  plainLength: number,
): ContentOf<ChunkRef> | undefined {
  if (outcome.failed !== undefined || outcome.size === 0) return undefined;
  if (outcome.sameContent) return file.previous?.content;
  if (id === undefined || outcome.offset < 0) throw new Error("a bundled file without its place");
  return {
    form: "inline",
    extents: [{ length: outcome.size, hole: false, offset: outcome.offset, id, plainLength }],
  };
}
