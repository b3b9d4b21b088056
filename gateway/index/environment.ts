// The LMDB environment of one vault: chunk index, pack table, refs, leases, snapshots and heads share it,
// so that one transaction can speak of all of them.
//
// Invariants
// - `write` returns only after the transaction is on disk (LMDB's own fdatasync; overlappingSync is off, because
//   with it lmdb-js answers at visibility and durability comes later), and the file's name is on disk before the first one.
// - A write that throws changes nothing: neither the file nor, through `onAbort`, what is mirrored in memory.
// - Only one thread writes, and writes do not interleave: `write` is synchronous and nested writes join it.
// - After an I/O error nothing is written by this process any more: what the kernel has in memory of the pages may not be on the disk, now or
//   after the next sync that succeeds (store/copyOpenPack.ts). Reading goes on, unless LMDB could not write its head. `openIndexEnvironment` cuts
//   off what a failed transaction left behind the last page, so that these pages are new to the file system too.
// - noMemInit stays off: LMDB would write uninitialised heap into the file, and this process holds keys.

import { mkdirSync, statfsSync, statSync, truncateSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Database, open, type RootDatabase } from "lmdb";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { fileError, syncDirectorySync } from "../store/files.ts";

/** Address space reserved for the map, not a limit: lmdb-js grows it. The file stays as small as its content. */
const mapBytes = 256 * 2 ** 30;

/** A named LMDB database with raw keys and raw values. `lastSize` is set by `getBinaryFast`. */
export type RawDatabase = Database<Uint8Array, Uint8Array> & { lastSize: number };

export class IndexEnvironment {
  readonly directory: string;
  readonly #root: RootDatabase;
  readonly #abortListeners: (() => void)[] = [];
  readonly #commitListeners = new Set<() => void>();
  #writing = false;
  #generation = 0;
  #poisoned = false;
  #failure: HoldfastError | undefined;
  readonly #gaveUp = Promise.withResolvers<HoldfastError>();

  constructor(directory: string, root: RootDatabase) {
    this.directory = directory;
    this.#root = root;
  }

  /** True inside `write`. */
  get writing(): boolean {
    return this.#writing;
  }

  /** Opens (creates) a named database with raw keys and values. */
  openRaw(name: string): RawDatabase {
    return this.#root.openDB<Uint8Array, Uint8Array>(name, {
      keyEncoding: "binary",
      encoding: "binary",
    }) as RawDatabase;
  }

  /** Registers what to forget when a write fails: called after the rollback, before the error leaves `write`. */
  onAbort(forget: () => void): void {
    this.#abortListeners.push(forget);
  }

  /** Calls back after each transaction that was made durable; returns a stop function. */
  onCommit(listener: () => void): () => void {
    this.#commitListeners.add(listener);
    return () => this.#commitListeners.delete(listener);
  }

  /**
   * Runs `change` in one transaction and returns its result once that is durable. Inside another `write` it joins
   * that one; if it throws there, the outer transaction fails too, even where the caller swallows the error.
   * `change` must be synchronous. Errors: `disk-full` when the disk has no room, `io-error` for LMDB's others.
   */
  write<T>(change: () => T): T {
    if (this.#writing) {
      try {
        return change();
      } catch (error) {
        this.#poisoned = true;
        throw error;
      }
    }
    if (this.#failure !== undefined) throw this.#failure;
    this.#writing = true;
    this.#generation++;
    this.#poisoned = false;
    let result: T;
    try {
      result = this.#root.transactionSync(() => {
        const changed = change();
        if (changed instanceof Promise)
          throw new Error("IndexEnvironment.write: the change must be synchronous");
        if (this.#poisoned) throw new Error("IndexEnvironment.write: a nested write failed");
        return changed;
      });
    } catch (error) {
      for (const forget of this.#abortListeners) forget();
      const failure = storageError(error, this.directory);
      if (isHoldfastError(failure, ErrorCode.ioError) && isDiskFailure(error)) this.#fail(error);
      throw this.#failure ?? failure;
    } finally {
      this.#writing = false;
    }
    for (const listener of this.#commitListeners) listener();
    return result;
  }

  /** Why nothing is written any more; undefined as long as all is well. */
  get failure(): HoldfastError | undefined {
    return this.#failure;
  }

  /** Resolves when nothing can be read any more either: LMDB gives up when it could not write its head. */
  get gaveUp(): Promise<HoldfastError> {
    return this.#gaveUp.promise;
  }

  #fail(error: unknown): void {
    this.#failure ??= new HoldfastError(
      ErrorCode.ioError,
      `the disk failed while ${this.directory} was written; nothing more is stored there until the gateway is started again`,
      {
        next: "Look at the gateway's disk and its system log; when it is well, restart the gateway. What was acknowledged is kept.",
        detail: { directory: this.directory },
        cause: error,
      },
    );
    try {
      this.#root.transactionSync(() => undefined);
    } catch {
      this.#gaveUp.resolve(this.#failure);
    }
  }

  /** Rises with every write, whatever becomes of it. */
  get generation(): number {
    return this.#generation;
  }

  /** Throws unless called inside `write`: guards functions that make sense only as part of a transaction. */
  assertWriting(operation: string): void {
    if (!this.#writing) throw new Error(`${operation} outside of a write transaction`);
  }

  /** Closes the environment. The objects opened from it must not be used afterwards. */
  async close(): Promise<void> {
    await this.#root.close();
  }
}

const diskFullPattern = /no space left|MDB_MAP_FULL|disk quota|file too large/i;
const errnoIo = 5;
/** Less room than this, together with LMDB's EIO, means that the disk was full: LMDB calls a short write EIO. */
const fullBelowBytes = 64 * 2 ** 20;

/** LMDB's word for having given up. */
const panic = -30795;

function isDiskFailure(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === errnoIo || error.code === panic);
}

/** lmdb-js throws plain Errors with an errno or MDB code and LMDB's text. */
function storageError(error: unknown, directory: string): unknown {
  if (!(error instanceof Error) || error instanceof HoldfastError) return error;
  const code: unknown = "code" in error ? error.code : undefined;
  if (diskFullPattern.test(error.message) || (code === errnoIo && freeBytes(directory) < fullBelowBytes)) {
    return new HoldfastError(ErrorCode.diskFull, "the chunk index cannot be written: no space left", {
      next: "Make room on the gateway's disk; nothing acknowledged is lost.",
      detail: { directory },
      cause: error,
    });
  }
  if (typeof code !== "number" && !error.message.startsWith("MDB_")) return error;
  return new HoldfastError(ErrorCode.ioError, `the chunk index cannot be written: ${error.message}`, {
    detail: { directory },
    cause: error,
  });
}

function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}

/** Length of an environment's key, in characters of ASCII: LMDB takes its bytes. */
const keyCharacters = 32;

/**
 * Opens (creates) the index environment in `directory`. One process may have it open at a time. With a `key` its pages are encrypted; it has
 * to be the one that the environment was made with, and who calls has to know that: LMDB ends the process over another.
 * @throws HoldfastError io-error, disk-full when its name cannot be made durable; LMDB's own errors
 */
export function openIndexEnvironment(directory: string, key?: string): IndexEnvironment {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const root = openRoot(directory, key, false);
  try {
    // LMDB syncs its file, not the name of it. Each time, since a run before this one may have been killed in between.
    syncDirectorySync(directory);
    syncDirectorySync(dirname(directory));
    cutBehindLastPage(root, directory);
  } catch (error) {
    void root.close();
    throw fileError(error, directory);
  }
  return new IndexEnvironment(directory, root);
}

/** Throws the system's error. */
function cutBehindLastPage(root: RootDatabase, directory: string): void {
  const path = join(directory, "data.mdb");
  const { lastPageNumber, root: pages } = root.getStats() as {
    lastPageNumber: number;
    root: { pageSize: number };
  };
  const end = (lastPageNumber + 1) * pages.pageSize;
  if (statSync(path).size > end) truncateSync(path, end);
}

/** As `openIndexEnvironment`, for one that is there and that nothing writes to. Databases that it lacks cannot be opened. */
export function openIndexToRead(directory: string, key?: string): IndexEnvironment {
  return new IndexEnvironment(directory, openRoot(directory, key, true));
}

function openRoot(directory: string, key: string | undefined, readOnly: boolean): RootDatabase {
  if (key !== undefined && (key.length !== keyCharacters || /[^\x21-\x7e]/.test(key))) {
    throw new RangeError("the key of an environment has 32 characters of ASCII");
  }
  return open({
    path: directory,
    readOnly,
    // lmdb-js takes a path with a dot in its last part for a file unless told otherwise.
    noSubdir: false,
    mapSize: mapBytes,
    maxDbs: 64,
    overlappingSync: false,
    // The catalog has keys and hashes in it. (lmdb-js knows the option; its types do not.)
    ...{ permissionsMode: 0o600 },
    ...(key !== undefined && { encryptionKey: key }),
    encoding: "binary",
  });
}
