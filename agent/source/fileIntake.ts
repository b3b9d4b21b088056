// Takes in the files that must be read: plans bundles of small ones, has workers read them and large ones, and
// hands back each file's entry when its content has its chunk ids (it need not be uploaded yet).
//
// Invariants: files join bundles in walk order; a bundle names at most `bundleDirectoriesMax` directories, which bounds open
// descriptors; a hard link that was read once in a run is not read again.

import { BundlePlanner, isBundled } from "../../vault/chunk/bundle.ts";
import type { EmitPage } from "../../vault/tree/directoryWriter.ts";
import type { ChunkRef, ContentOf } from "../../vault/tree/entry.ts";
import { ExtentsWriter } from "../../vault/tree/extentsWriter.ts";
import { outcomeOf } from "../backup/bundleMessage.ts";
import type { FileOutcome, FileToOpen, Place } from "../backup/messages.ts";
import type { BundleResult, WorkerPool } from "../backup/workerPool.ts";
import { CHANGE_MARK_WORDS, type StatTable } from "../platform/statTable.ts";
import type { OpenDirectory } from "./openDirectory.ts";

const bundleDirectoriesMax = 256;
const turnsMax = 8;

/** A file to read. `previous` is its content in the previous snapshot, if it had any. */
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

type Waiting = { readonly file: FileToRead; readonly resolve: (read: FileRead) => void };

export type FileIntakeOptions = {
  readonly pool: WorkerPool;
  readonly splitTable: Uint32Array;
  /** Takes over a chunk whose plaintext is at `place`. */
  readonly offer: (id: Buffer, place: Place) => void;
  readonly emitExtents: EmitPage;
  readonly onError: (error: unknown) => void;
};

/** The words of a row that tell whether a file changed. */
export function changeMark(table: StatTable, row: number): Uint32Array {
  const mark = new Uint32Array(CHANGE_MARK_WORDS);
  table.copyChangeMark(row, mark, 0);
  return mark;
}

export class FileIntake {
  readonly #options: FileIntakeOptions;
  readonly #planner: BundlePlanner;
  #bundle: Waiting[] = [];
  #turns = 0;
  readonly #bundleDirectories = new Set<OpenDirectory>();

  constructor(options: FileIntakeOptions) {
    this.#options = options;
    this.#planner = new BundlePlanner(options.splitTable);
  }

  /** True while a file can be taken without waiting for a worker. */
  get hasRoom(): boolean {
    return this.#options.pool.hasRoom;
  }

  room(): Promise<void> {
    return this.#options.pool.room();
  }

  /** Takes a file; `done` is called once. Files over a bundle's share start at once, small ones with their bundle. */
  take(file: FileToRead, done: (read: FileRead) => void): void {
    file.directory.share();
    if (!isBundled(file.size)) {
      this.#readAlone(file, done);
      return;
    }
    if (this.#planner.add(file) === "startNew" || this.#tooManyDirectories(file)) this.flush();
    this.#bundle.push({ file, resolve: done });
    this.#bundleDirectories.add(file.directory);
    if (this.#planner.endsAfter()) this.flush();
  }

  /** Called now and then while the walk goes on: a bundle that stays open for long would hold up its folders. */
  age(): void {
    this.#turns += 1;
    if (this.#turns > turnsMax) this.flush();
  }

  /** Has the open bundle read although it is not full: at the end of the walk. */
  flush(): void {
    this.#turns = 0;
    const bundle = this.#bundle;
    if (bundle.length === 0) return;
    this.#bundle = [];
    this.#bundleDirectories.clear();
    this.#options.pool
      .readBundle(bundle.map(({ file }) => fileToOpen(file)))
      .then((result) => this.#finishBundle(bundle, result))
      .catch(this.#options.onError);
  }

  #tooManyDirectories(file: FileToRead): boolean {
    return (
      this.#bundleDirectories.size >= bundleDirectoriesMax && !this.#bundleDirectories.has(file.directory)
    );
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

  #readAlone(file: FileToRead, done: (read: FileRead) => void): void {
    const writer = new ExtentsWriter(this.#options.emitExtents);
    const parts = {
      hole: (length: number) => writer.add({ length, hole: true }),
      chunk: (id: Buffer, place: Place) => {
        // Offered first: a page that names the chunk must find it under way.
        this.#options.offer(id, place);
        writer.add({ length: place.length, hole: false, offset: 0, id, plainLength: place.length });
      },
    };
    this.#options.pool
      .readFile(fileToOpen(file), parts)
      .then((outcome) => {
        const written = outcome.failed === undefined && outcome.size > 0 ? writer.finish() : undefined;
        done({ outcome, content: written });
        file.directory.release();
      })
      .catch(this.#options.onError);
  }
}

function fileToOpen(file: FileToRead): FileToOpen {
  return {
    directory: file.directory.handle.fd,
    name: file.name,
    size: file.size,
    mark: file.mark,
    previousHash: file.previous?.hash,
  };
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
