// Real files read by real workers, without a walk: a test decides what happens between the look at a file and its reading.

import { basename, dirname } from "node:path";
import type { FileOutcome, Place } from "../../../agent/backup/messages.ts";
import { WorkerPool } from "../../../agent/backup/workerPool.ts";
import { selectEngines } from "../../../agent/platform/engines.ts";
import { selectPlatform } from "../../../agent/platform/select.ts";
import { StatTable } from "../../../agent/platform/statTable.ts";
import { changeMark, FileIntake, type FileRead, type FileToRead } from "../../../agent/source/fileIntake.ts";
import { OpenDirectories } from "../../../agent/source/openDirectory.ts";
import type { Chunker } from "../../../vault/chunk/chunker.ts";
import { chunkId } from "../../../vault/chunkId.ts";
import { RecordType } from "../../../vault/magic.ts";
import { openRecord } from "../../../vault/record.ts";
import type { ChunkRef, ContentOf } from "../../../vault/tree/entry.ts";
import { parseExtentPage } from "../../../vault/tree/extentPage.ts";
import "./compileCache.ts";
import { testKeys } from "./memoryGateway.ts";

const platform = selectPlatform();
const hex = (id: Uint8Array): string => Buffer.from(id).toString("hex");

export type Piece = { readonly hole: boolean; readonly bytes: Buffer; readonly length: number };

/** Close it after use. */
export class Reading {
  /** Called for each chunk as it is found. */
  onChunk: () => void = () => undefined;
  readonly #engines = selectEngines();
  readonly #pool: WorkerPool;
  readonly #intake: FileIntake;
  readonly #directories = new OpenDirectories(platform, 1024);
  readonly #chunks = new Map<string, Buffer>();
  readonly #pages = new Map<string, { plaintext: Buffer; refs: Buffer }>();
  readonly #sealing: Promise<void>[] = [];
  #failed: unknown;

  constructor(chunker: Chunker = "fastcdc-1") {
    const fail = (error: unknown): void => {
      this.#failed ??= error;
    };
    const options = { keys: testKeys, group: 0, chunker, compressionLevel: 1, engines: this.#engines };
    this.#pool = new WorkerPool({ ...options, threads: 1 }, fail);
    this.#intake = new FileIntake({
      pool: this.#pool,
      splitTable: testKeys.splitTable(0),
      offer: (id, place) => this.#offer(id, place),
      emitExtents: (plaintext, refs) => {
        const id = chunkId(testKeys.idKey(0), RecordType.extents, refs, plaintext);
        this.#pages.set(hex(id), { plaintext, refs });
        return id;
      },
      onError: fail,
      known: undefined,
    });
  }

  /** The file as a walk sees it now. */
  see(path: string): FileToRead {
    const directory = this.#directories.add(platform.openDirectory(Buffer.from(dirname(path))));
    const name = Buffer.from(basename(path));
    const table = new StatTable(1);
    platform.stat(directory.handle, name, table, 0);
    return {
      directory,
      path: Buffer.from(dirname(path)),
      name,
      uid: table.uid(0),
      size: table.size(0),
      mark: changeMark(table, 0),
      previous: undefined,
    };
  }

  /** Reads files that were seen, together. */
  async read(files: readonly FileToRead[]): Promise<FileRead[]> {
    const reads = files.map(
      (file) =>
        new Promise<FileRead>((resolve, reject) => {
          this.#intake.take(file, resolve);
          file.directory.release();
          const look = setInterval(() => {
            if (this.#failed === undefined) return;
            clearInterval(look);
            reject(this.#failed);
          }, 10);
          look.unref();
        }),
    );
    this.#intake.flush();
    const done = await Promise.all(reads);
    await Promise.all(this.#sealing.splice(0));
    return done;
  }

  /** The pieces of content, which must have the size and the hash that the outcome says. */
  pieces(read: FileRead): Piece[] {
    const pieces = read.content === undefined ? [] : [...this.#piecesOf(read.content)];
    const size = pieces.reduce((sum, { length }) => sum + length, 0);
    if (size !== read.outcome.size) throw new Error(`content of ${size} bytes, size ${read.outcome.size}`);
    return pieces;
  }

  /** The whole content. */
  content(read: FileRead): Buffer {
    return Buffer.concat(
      this.pieces(read).map(({ bytes, length, hole }) => (hole ? Buffer.alloc(length) : bytes)),
    );
  }

  async close(): Promise<void> {
    await this.#pool.close();
    this.#engines.close();
    this.#directories.closeAll();
  }

  #offer(id: Buffer, place: Place): void {
    this.onChunk();
    const open = (record: Buffer): void => {
      const { plaintext } = openRecord({
        keys: testKeys,
        group: 0,
        record,
        expectedId: id,
        expectedType: RecordType.data,
      });
      this.#chunks.set(hex(id), plaintext);
    };
    this.#sealing.push(this.#pool.seal(id, place).then(open));
  }

  *#piecesOf(content: ContentOf<ChunkRef>): Generator<Piece> {
    if (content.form === "pages") return yield* this.#paged(content.id);
    for (const extent of content.extents) {
      if (extent.hole) yield hole(extent.length);
      else yield this.#data(extent.id, extent.offset, extent.length);
    }
  }

  *#paged(id: Uint8Array): Generator<Piece> {
    const found = this.#pages.get(hex(id));
    if (found === undefined) throw new Error("a page was never emitted");
    const page = parseExtentPage(found.plaintext, found.refs);
    for (let row = 0; row < page.rowCount; row++) {
      const extent = page.extent(row);
      if (extent.hole) yield hole(extent.length);
      else if (page.level > 0) yield* this.#paged(page.id(extent.ordinal));
      else yield this.#data(page.id(extent.ordinal), extent.offset, extent.length);
    }
  }

  #data(id: Uint8Array, offset: number, length: number): Piece {
    const bytes = this.#chunks.get(hex(id))?.subarray(offset, offset + length);
    if (bytes?.length !== length) throw new Error("a chunk is missing or too short");
    return { hole: false, bytes, length };
  }
}

function hole(length: number): Piece {
  return { hole: true, bytes: Buffer.alloc(0), length };
}

/** What a warning would say. */
export function saidOf({ failed, changed }: FileOutcome): string {
  return failed ?? changed ?? "";
}
