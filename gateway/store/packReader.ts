// Reads records from packs by location, open or closed, through a bounded cache of descriptors.
//
// Invariants
// - A record is handed out only if the frame before it is sound, names its length, and the truncated SHA-256 fits; the last is left
//   out only for a caller that proves the record by its seal.
// - Packs that are in a replica alone: see evictedRecords.ts.
// - A damaged, short or missing pack is an error of the records in it and of nothing else.
// - A descriptor is closed only when no read uses it.

import { hash } from "node:crypto";
import { constants } from "node:fs";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { Width } from "../../vault/magic.ts";
import { parseFrame } from "../../vault/pack/frame.ts";
import type { PackRow, PackTable } from "../index/packTable.ts";
import { damaged, type Elsewhere, readEvictedRecords } from "./evictedRecords.ts";
import { closeDescriptor, errnoOf, fileError, openDescriptor, readFully } from "./files.ts";
import { closedPackPath, openPackPath } from "./packPaths.ts";
import type { Location } from "./recordToStore.ts";

type OpenFile = { readonly fd: number; users: number; dropped: boolean };

/** Bytes that one read from disk brings at most when neighbouring records are read together. */
const runBytesMax = 4 * 2 ** 20;

export type ReadOptions = {
  /**
   * Leaves the hash out, which takes longer than all else here: for readers who open the seal, and ask once more where it does not
   * open.
   */
  readonly unhashed?: boolean;
  /** The same for records of evicted packs, whose bytes come from outside: what does not open is asked for once more without this, in any case. */
  readonly unhashedElsewhere?: boolean;
  /** Gives the memory that records which are read together come in. */
  readonly memory?: ((bytes: number) => Buffer) | undefined;
  /** Gives the memory of each record of an evicted pack, with the frame before it: nothing else comes into it. */
  readonly recordMemory?: ((bytes: number) => Buffer) | undefined;
  /** Fills a buffer from a file without waiting for the disk, or says that it cannot. */
  readonly readNow?: ((fd: number, into: Buffer, position: number) => boolean) | undefined;
};

/** A record, or why there is none. */
export type ReadOutcome = Buffer | HoldfastError;

/** Thrown inside: the pack has no file here, and is not meant to. */
class EvictedPack extends Error {
  readonly row: PackRow;

  constructor(row: PackRow) {
    super(`pack ${row.ordinal} is evicted`);
    this.row = row;
  }
}

export class PackReader {
  readonly #directory: string;
  readonly #elsewhere: Elsewhere | undefined;
  readonly #packs: PackTable;
  readonly #filesMax: number;
  /** By pack ordinal, least recently used first. */
  readonly #files = new Map<number, Promise<OpenFile>>();

  /** Without `elsewhere`, records of evicted packs are missing. */
  constructor(directory: string, packs: PackTable, elsewhere?: Elsewhere, filesMax = 64) {
    this.#directory = directory;
    this.#packs = packs;
    this.#elsewhere = elsewhere;
    this.#filesMax = filesMax;
  }

  /** How many of `locations` from `start` on lie one behind the other, so that one read brings them. */
  runLength(locations: readonly (Location | undefined)[], start: number): number {
    const first = locations[start];
    if (first === undefined) return 1;
    let last = first;
    let count = 1;
    for (; start + count < locations.length; count++) {
      const next = locations[start + count];
      if (next?.pack !== first.pack || next.offset !== last.offset + last.length + Width.frame) break;
      if (next.offset + next.length - first.offset > runBytesMax) break;
      last = next;
    }
    return count;
  }

  /**
   * Reads records that lie one behind the other (see runLength). Fails for each record on its own.
   */
  async readRun(run: readonly Location[], options: ReadOptions = {}): Promise<ReadOutcome[]> {
    const first = run[0]!;
    const evicted = this.#files.has(first.pack) ? undefined : this.#packs.get(first.pack);
    if (evicted?.state === "evicted" && this.#elsewhere !== undefined)
      return readEvictedRecords(this.#elsewhere, evicted, run, options);
    const last = run[run.length - 1]!;
    const start = first.offset - Width.frame;
    const length = last.offset + last.length - start;
    const bytes = options.memory?.(length) ?? Buffer.allocUnsafeSlow(length);
    let filled: number;
    try {
      filled = await this.#read(first.pack, bytes, start, options.readNow);
    } catch (error) {
      if (error instanceof EvictedPack && this.#elsewhere !== undefined) {
        return readEvictedRecords(this.#elsewhere, error.row, run, options);
      }
      // What the disk cannot read may be in one of them: the others are read by themselves.
      if (run.length > 1 && errnoOf(error) === "EIO") return this.#readEach(run, bytes, options);
      const failure = missingOrFailed(error, first.pack);
      return run.map(() => failure);
    }
    return run.map((location) => {
      const at = location.offset - first.offset;
      const framed = bytes.subarray(at, Math.min(filled, at + Width.frame + location.length));
      return checkRecord(framed, location, options.unhashed === true);
    });
  }

  /** `into`: room for the whole run; each record comes to its own place. */
  async #readEach(
    run: readonly Location[],
    into: Buffer,
    { unhashed = false }: ReadOptions,
  ): Promise<ReadOutcome[]> {
    const outcomes: ReadOutcome[] = [];
    for (const location of run) {
      const at = location.offset - run[0]!.offset;
      const framed = into.subarray(at, at + Width.frame + location.length);
      try {
        const filled = await this.#read(location.pack, framed, location.offset - Width.frame, undefined);
        outcomes.push(checkRecord(framed.subarray(0, filled), location, unhashed));
      } catch (error) {
        outcomes.push(missingOrFailed(error, location.pack));
      }
    }
    return outcomes;
  }

  /**
   * Reads one record.
   * @throws HoldfastError chunk-missing, chunk-damaged, io-error
   */
  async read(location: Location): Promise<Buffer> {
    const outcome = (await this.readRun([location]))[0]!;
    if (outcome instanceof HoldfastError) throw outcome;
    return outcome;
  }

  async #read(
    pack: number,
    into: Buffer,
    position: number,
    readNow: ReadOptions["readNow"],
  ): Promise<number> {
    const opening = this.#files.get(pack) ?? this.#open(pack);
    // Most recently used last.
    this.#files.delete(pack);
    this.#files.set(pack, opening);
    let file: OpenFile;
    try {
      file = await opening;
    } catch (error) {
      if (this.#files.get(pack) === opening) this.#files.delete(pack);
      throw error;
    }
    file.users++;
    try {
      if (readNow?.(file.fd, into, position)) return into.length;
      return await readFully(file.fd, into, position);
    } finally {
      file.users--;
      if (file.dropped && file.users === 0) await closeDescriptor(file.fd);
    }
  }

  #open(pack: number): Promise<OpenFile> {
    for (const [ordinal, file] of this.#files) {
      if (this.#files.size < this.#filesMax) break;
      this.#files.delete(ordinal);
      void this.#drop(file);
    }
    return this.#openFile(pack);
  }

  async #openFile(pack: number): Promise<OpenFile> {
    const row = this.#packs.get(pack);
    if (row?.state === "evicted") throw new EvictedPack(row);
    const name = row?.name;
    const paths = name === undefined ? [] : [closedPackPath(this.#directory, name)];
    // A pack that is just being closed has its name before it is renamed.
    paths.push(openPackPath(this.#directory, pack));
    if (name !== undefined) paths.push(closedPackPath(this.#directory, name));
    for (const [i, path] of paths.entries()) {
      try {
        return { fd: await openDescriptor(path, constants.O_RDONLY), users: 0, dropped: false };
      } catch (error) {
        if (errnoOf(error) !== "ENOENT") throw error;
        if (i < paths.length - 1) continue;
        // It may have been evicted since.
        const now = this.#packs.get(pack);
        throw now?.state === "evicted" ? new EvictedPack(now) : error;
      }
    }
    throw new Error("unreachable: a pack has at least one path");
  }

  async #drop(opening: Promise<OpenFile>): Promise<void> {
    const file = await opening.catch(() => undefined);
    if (file === undefined) return;
    file.dropped = true;
    if (file.users === 0) await closeDescriptor(file.fd);
  }

  /** Forgets the descriptor of a pack, because its file was replaced or removed. */
  async forget(pack: number): Promise<void> {
    const file = this.#files.get(pack);
    this.#files.delete(pack);
    if (file !== undefined) await this.#drop(file);
  }

  /** Closes all descriptors; reads that are under way finish first. */
  async close(): Promise<void> {
    const files = [...this.#files.values()];
    this.#files.clear();
    for (const file of files) await this.#drop(file);
  }
}

/** Checks the frame and the record behind it. `bytes` may be cut short by the end of the file. */
function checkRecord(bytes: Buffer, location: Location, unhashed: boolean): ReadOutcome {
  const frame = parseFrame(bytes);
  const record = bytes.subarray(Width.frame);
  if (frame === undefined || frame.recordLength !== location.length || record.length !== location.length) {
    return damaged(location);
  }
  if (unhashed) return record;
  const found = hash("sha256", record, "buffer");
  return found.compare(frame.recordHash, 0, Width.recordHash, 0, Width.recordHash) === 0
    ? record
    : damaged(location);
}

function missingOrFailed(error: unknown, pack: number): HoldfastError {
  if (errnoOf(error) === "ENOENT" || error instanceof EvictedPack) {
    return new HoldfastError(ErrorCode.chunkMissing, `the file of pack ${pack} is missing`, {
      detail: { pack },
    });
  }
  return fileError(error, `pack ${pack}`);
}
