// A worker's work on one file of several chunks or with holes, range by range, front to back.
//
// Invariants:
//  - Ranges come in file order and without gaps, so that the hash of the whole file is known at the end.
//  - Unless in place, the file is written under a name beside the final one and renamed when its hash was right. What a
//    stopped run left there is taken up: its ranges are compared like those of an old version.
//  - In place (large files that are there already) only ranges that differ are written; a run that stops leaves a mixture, which
//    the next run completes. That is the price of not needing room for a second copy.

import { asBuffer, giveBack, isZero } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { FileHasher } from "../../vault/fileHash.ts";
import type { RunningHmac } from "../../vault/hmac.ts";
import { limits } from "../../vault/limits.ts";
import type { Handle } from "../platform/port.ts";
import { SELF } from "../platform/port.ts";
import { StatTable } from "../platform/statTable.ts";
import { Errno, SystemError } from "../platform/systemError.ts";
import { applyMetadata } from "./applyMetadata.ts";
import { besideName } from "./besideName.ts";
import type { FileJob } from "./jobs.ts";
import type { LargeMode, PartExtent, SentRecord } from "./messages.ts";
import { type OpenContext, withOpened } from "./openSent.ts";
import { readRange, rightRanges } from "./rightRanges.ts";
import { moveInPlace, removeQuietly, type WriteContext, wrongHash } from "./writeSmall.ts";

export type LargeContext = WriteContext & OpenContext;

const table = new StatTable(1);
const local = Buffer.allocUnsafeSlow(limits.plainBytesMax);
const zeros = Buffer.alloc(1024 * 1024);
const noRefs = Buffer.alloc(0);
const newFileMode = 0o600;
const segmentsAtOnce = 256;
/** What file systems give back at the least; a smaller rest of data cannot become a hole. */
const blockBytes = 4096;

export class LargeFile {
  readonly #context: LargeContext;
  readonly #job: FileJob;
  /** The name beside the final one; undefined in place. */
  readonly #beside: Buffer | undefined;
  readonly #file: Handle;
  /** What equal ranges are taken from; the file itself when it is written in place. */
  readonly #base: Handle | undefined;
  readonly #hasher: FileHasher;

  /** Opens or makes the file. @throws SystemError */
  constructor(context: LargeContext, job: FileJob, mode: LargeMode) {
    const { platform } = context;
    const directory = context.directories.at(job.directory);
    this.#context = context;
    this.#job = job;
    this.#hasher = new FileHasher(context.fileHashKey, { engine: context.hmacs, sizeMin: job.size });
    if (mode.inPlace) {
      this.#file = platform.openFileForUpdate(directory, job.name);
      this.#base = this.#file;
    } else {
      this.#beside = besideName(job.name, job.hash ?? noRefs);
      const { file, resumed } = openBeside(context, directory, this.#beside);
      this.#file = file;
      this.#base = resumed ? file : mode.base ? openBase(context, directory, job.name) : undefined;
    }
    try {
      platform.stat(this.#file, SELF, table, 0);
      // Also the same size, set again, would move the times of a file that is right.
      if (table.size(0) !== job.size) platform.setSize(this.#file, job.size);
    } catch (error) {
      this.#close();
      throw error;
    }
  }

  /** Whether `compare` has something to compare with. */
  get hasBase(): boolean {
    return this.#base !== undefined;
  }

  /** 1 for every range that the base has right: whole chunks, by their id. */
  compare(extents: readonly PartExtent[]): Uint8Array {
    if (this.#base === undefined) return new Uint8Array(extents.length);
    return rightRanges(this.#context, this.#base, extents);
  }

  /** Writes ranges out of sealed records, holes and the base. @throws SystemError, HoldfastError */
  write(extents: readonly PartExtent[], records: readonly SentRecord[]): void {
    const sealed = new Map(records.map((sent) => [keyOf(sent.id), sent]));
    for (const extent of extents) {
      const { id, start, length } = extent;
      if (id === undefined) {
        this.#hasher.skipZeros(length);
        if (this.#base === this.#file) this.#clear(start, start + length);
      } else if (extent.local) {
        const bytes = this.#readBase(extent);
        if (bytes === undefined) throw wrongHash();
        this.#hasher.update(bytes);
        if (this.#base !== this.#file) this.#context.platform.write(this.#file, bytes, start);
      } else {
        const sent = sealed.get(keyOf(id));
        if (sent === undefined) throw new Error("a range came without its record");
        this.#writeOf(sent, extent);
      }
    }
    for (const { record } of records) giveBack(record);
  }

  /** Writes a range of a record's plaintext. A range that is all of it is hashed in the pass that recomputes its id. */
  #writeOf(sent: SentRecord, { start, offset, length }: PartExtent): void {
    const { hmacs, platform } = this.#context;
    let hashed = false;
    const take = (id: RunningHmac, plaintext: Buffer): void => {
      hashed = offset === 0 && length === plaintext.length;
      if (hashed) this.#hasher.update(plaintext, id);
      else id.update(plaintext);
    };
    withOpened(this.#context, sent, { engine: hmacs, take }, (plaintext) => {
      if (offset + length > plaintext.length) {
        throw new HoldfastError(ErrorCode.corrupt, "an extent reaches out of its chunk");
      }
      const bytes = plaintext.subarray(offset, offset + length);
      if (!hashed) this.#hasher.update(bytes);
      platform.write(this.#file, bytes, start);
    });
  }

  /** Compares the hash, sets the metadata, gives the file its name; returns what could not be set. */
  finish(): string[] {
    const { platform, rights, directories } = this.#context;
    const job = this.#job;
    try {
      if (job.hash === undefined || this.#hasher.digest()?.equals(job.hash) !== true) throw wrongHash();
      const problems = applyMetadata(
        {
          platform,
          rights,
          handle: this.#file,
          name: SELF,
          symlink: false,
          existing: this.#beside === undefined,
          likely: true,
        },
        job.metadata,
      );
      this.#close();
      if (this.#beside !== undefined) {
        moveInPlace(platform, directories.at(job.directory), this.#beside, job.name);
      }
      return problems;
    } catch (error) {
      if (error instanceof HoldfastError) this.abandon(false);
      throw error;
    }
  }

  /** Closes; what was written beside is kept for the next run, or removed. */
  abandon(keep: boolean): void {
    this.#close();
    if (keep || this.#beside === undefined) return;
    removeQuietly(this.#context.platform, this.#context.directories.at(this.#job.directory), this.#beside);
  }

  #closed = false;

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { platform } = this.#context;
    if (this.#base !== undefined && this.#base !== this.#file) platform.close(this.#base);
    platform.close(this.#file);
  }

  /** The base's bytes of a range, good until the next call; undefined where it is shorter. */
  #readBase(extent: PartExtent): Buffer | undefined {
    return this.#base === undefined
      ? undefined
      : readRange(this.#context.platform, this.#base, extent, local);
  }

  /** Makes a range read as zeros; what is a hole stays one. */
  #clear(start: number, end: number): void {
    const { platform } = this.#context;
    for (let from = start; from < end; ) {
      const segments = platform.dataSegments(this.#file, from, end, segmentsAtOnce);
      for (const segment of segments) this.#clearData(segment.start, segment.end);
      if (segments.length < segmentsAtOnce) return;
      from = segments.at(-1)?.end ?? end;
    }
  }

  /** Data in a hole goes with its room. Bytes of a block that it shares with data stay, and are written only when not zero. */
  #clearData(start: number, end: number): void {
    const { platform } = this.#context;
    // The last block goes whole, though the file ends inside it.
    const to = end === this.#job.size ? Math.ceil(end / blockBytes) * blockBytes : end;
    const wholeBlocks = Math.floor(to / blockBytes) > Math.ceil(start / blockBytes);
    if (wholeBlocks && platform.punchHole(this.#file, start, to)) return;
    for (let at = start; at < end; ) {
      const length = Math.min(zeros.length, end - at);
      const got = platform.read(this.#file, local.subarray(0, length), at);
      if (got === 0) return;
      if (!isZero(local.subarray(0, got))) platform.write(this.#file, zeros.subarray(0, got), at);
      at += got;
    }
  }
}

function keyOf(id: Uint8Array): string {
  return asBuffer(id).toString("latin1");
}

function openBeside(
  { platform }: LargeContext,
  directory: Handle,
  name: Buffer,
): { readonly file: Handle; readonly resumed: boolean } {
  try {
    return { file: platform.createFile(directory, name, newFileMode), resumed: false };
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== Errno.EEXIST) throw error;
  }
  try {
    return { file: platform.openFileForUpdate(directory, name), resumed: true };
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    platform.removeFile(directory, name);
    return { file: platform.createFile(directory, name, newFileMode), resumed: false };
  }
}

/** The old version under the final name, if it can be read. */
function openBase({ platform }: LargeContext, directory: Handle, name: Buffer): Handle | undefined {
  try {
    return platform.openFile(directory, name);
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}
