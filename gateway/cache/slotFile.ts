// Two files that hold blocks of packs: `blocks`, places of 1 MiB, and `index`, one entry a place that says which block is there and what
// its bytes must be. Nothing is synced: what a crash leaves half done does not fit its checksums and is never handed out.
//
// Invariants
// - The files hold at most `slotsMax` places, so they never grow beyond the limit, whatever happens.
// - An entry: `name (32) ‖ u32 block ‖ u32 length ‖ 16 × u32 checksum of the block's pieces of 64 KiB ‖ u32 CRC-32 of what is before, begun with the
//   checksums' kind`. The entry's own checksum binds the pieces to the block's name; one that does not fit is an empty place.

import * as fs from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { giveBack } from "../../vault/bytes.ts";
import {
  closeDescriptor,
  errnoOf,
  fileError,
  fstat,
  ftruncate,
  openDescriptor,
  readFully,
  writeFully,
} from "../store/files.ts";
import { type BlockEngine, directBytes } from "./blockEngine.ts";

export const blockBytes = 2 ** 20;
const pieceBytes = 64 * 1024;
const pieces = blockBytes / pieceBytes;
const lengthAt = 36;
const checksAt = 40;
const entryCheckAt = checksAt + pieces * 4;
const entryBytes = entryCheckAt + 4;
/** Entries that are read together. */
const entriesPerRead = 4096;

export type Entry = {
  /** SHA-256 of the pack, 32 bytes. */
  readonly name: Buffer;
  readonly block: number;
  /** Bytes of the block: fewer than 1 MiB at the end of a pack. */
  readonly length: number;
};

/** Undefined where the file system has no such way. */
async function openDirect(path: string): Promise<number | undefined> {
  const flag = fs.constants.O_DIRECT as number | undefined;
  if (flag === undefined) return undefined;
  return openDescriptor(path, fs.constants.O_WRONLY | flag, 0).catch(() => undefined);
}

export class SlotFile {
  readonly #directory: string;
  readonly #slotsMax: number;
  readonly #blocks: number;
  /** The same file past the page cache, where the system has that. */
  readonly #direct: number | undefined;
  readonly #index: number;
  readonly #engine: BlockEngine;
  /** Lengths and checksums of the pieces of each place, as far as places were ever used; grows by doubling. */
  #lengths = new Uint32Array(64);
  #checks = new Uint32Array(64 * pieces);
  /** Reads and writes that run; the descriptors are closed after the last. */
  #users = 0;
  /** Ends when the writes before the next are done. */
  #lastWrite: Promise<void> = Promise.resolve();
  #unused: (() => void) | undefined;
  #closed = false;

  private constructor(
    directory: string,
    slotsMax: number,
    engine: BlockEngine,
    { blocks, direct, index }: { blocks: number; direct: number | undefined; index: number },
  ) {
    this.#directory = directory;
    this.#slotsMax = slotsMax;
    this.#engine = engine;
    this.#blocks = blocks;
    this.#direct = direct;
    this.#index = index;
  }

  /** Opens (creates) the files and cuts what is over the limit. @throws HoldfastError io-error, disk-full */
  static async open(directory: string, slotsMax: number, engine: BlockEngine): Promise<SlotFile> {
    try {
      fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
      const flags = fs.constants.O_RDWR | fs.constants.O_CREAT;
      const blocks = await openDescriptor(join(directory, "blocks"), flags, 0o600);
      const index = await openDescriptor(join(directory, "index"), flags, 0o600);
      if ((await fstat(blocks)).size > slotsMax * blockBytes) await ftruncate(blocks, slotsMax * blockBytes);
      if ((await fstat(index)).size > slotsMax * entryBytes) await ftruncate(index, slotsMax * entryBytes);
      const direct = engine.addressOf && (await openDirect(join(directory, "blocks")));
      return new SlotFile(directory, slotsMax, engine, { blocks, direct, index });
    } catch (error) {
      throw fileError(error, directory);
    }
  }

  /** Places that were ever used. */
  async count(): Promise<number> {
    return Math.min(this.#slotsMax, Math.floor((await fstat(this.#index)).size / entryBytes));
  }

  /** All entries that are whole, with their places. */
  async *entries(): AsyncGenerator<{ readonly slot: number; readonly entry: Entry }> {
    const count = await this.count();
    for (let first = 0; first < count; first += entriesPerRead) {
      const bytes = Buffer.alloc(Math.min(entriesPerRead, count - first) * entryBytes);
      const filled = await readFully(this.#index, bytes, first * entryBytes);
      for (let at = 0; at + entryBytes <= filled; at += entryBytes) {
        const slot = first + at / entryBytes;
        const entry = this.#take(slot, bytes.subarray(at, at + entryBytes));
        if (entry !== undefined) yield { slot, entry };
      }
    }
  }

  #take(slot: number, bytes: Buffer): Entry | undefined {
    if (bytes.readUInt32LE(entryCheckAt) !== this.#checkOf(bytes)) return undefined;
    const length = bytes.readUInt32LE(lengthAt);
    if (length === 0 || length > blockBytes) return undefined;
    this.#grow(slot);
    this.#lengths[slot] = length;
    for (let i = 0; i < pieces; i++) this.#checks[slot * pieces + i] = bytes.readUInt32LE(checksAt + i * 4);
    return { name: Buffer.from(bytes.subarray(0, 32)), block: bytes.readUInt32LE(32), length };
  }

  #checkOf(entry: Buffer): number {
    return crc32(entry.subarray(0, entryCheckAt), this.#engine.kind);
  }

  #grow(slot: number): void {
    if (slot < this.#lengths.length) return;
    const size = Math.max(slot + 1, this.#lengths.length * 2);
    const lengths = new Uint32Array(size);
    lengths.set(this.#lengths);
    const checks = new Uint32Array(size * pieces);
    checks.set(this.#checks);
    this.#lengths = lengths;
    this.#checks = checks;
  }

  async #using<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new Error("the cache's files are closed");
    this.#users++;
    try {
      return await work();
    } finally {
      this.#users--;
      if (this.#users === 0) this.#unused?.();
    }
  }

  /**
   * Puts a block at a place. `once`: the system need not keep it in memory.
   * @throws the system's error; what is at the place then does not fit its checksums
   */
  async write(
    slot: number,
    entry: Pick<Entry, "name" | "block">,
    bytes: Buffer,
    once: boolean,
  ): Promise<void> {
    const row = Buffer.alloc(entryBytes);
    entry.name.copy(row, 0);
    row.writeUInt32LE(entry.block, 32);
    row.writeUInt32LE(bytes.length, lengthAt);
    for (let i = 0; i * pieceBytes < bytes.length; i++) {
      const piece = bytes.subarray(i * pieceBytes, (i + 1) * pieceBytes);
      row.writeUInt32LE(this.#engine.checksum(piece), checksAt + i * 4);
    }
    row.writeUInt32LE(this.#checkOf(row), entryCheckAt);
    await this.#using(async () => {
      await this.#oneByOne(() => this.#writeBlock(bytes, slot * blockBytes, once));
      await writeFully(this.#index, [row], slot * entryBytes);
    });
    this.#take(slot, row);
  }

  async #writeBlock(bytes: Buffer, position: number, once: boolean): Promise<void> {
    if (once && this.#direct !== undefined && this.#isAligned(bytes)) {
      try {
        return await writeFully(this.#direct, [bytes], position);
      } catch (error) {
        // A disk that wants more than those we know of.
        if (errnoOf(error) !== "EINVAL") throw error;
      }
    }
    await writeFully(this.#blocks, [bytes], position);
  }

  #isAligned(bytes: Buffer): boolean {
    const address = this.#engine.addressOf?.(bytes) ?? 1;
    return address % directBytes === 0 && bytes.length % directBytes === 0;
  }

  /** The system lets one thread at a time write to a file: others would spin meanwhile, for a twentieth of what a cold read takes. */
  #oneByOne(write: () => Promise<void>): Promise<void> {
    const turn = this.#lastWrite.then(write);
    this.#lastWrite = turn.catch(() => undefined);
    return turn;
  }

  /** Empties a place. */
  async clear(slot: number): Promise<void> {
    await this.#using(() => writeFully(this.#index, [Buffer.alloc(entryBytes)], slot * entryBytes));
  }

  /**
   * Fills `into` from a block, from `from` on. False when the bytes are not those that were put there: damage, a torn write, or another
   * block meanwhile. Reads and compares whole pieces of 64 KiB.
   */
  async read(slot: number, into: Buffer, from: number): Promise<boolean> {
    const length = this.#lengths[slot] ?? 0;
    const end = from + into.length;
    if (end > length) return false;
    const firstPiece = Math.floor(from / pieceBytes);
    const start = firstPiece * pieceBytes;
    const stop = Math.min(length, Math.ceil(end / pieceBytes) * pieceBytes);
    // Before anything is awaited: the place may become another block's.
    const wanted = this.#checks.slice(slot * pieces + firstPiece, (slot + 1) * pieces);
    const bytes = start === from && stop === end ? into : Buffer.allocUnsafeSlow(stop - start);
    const filled = await this.#using(() => readFully(this.#blocks, bytes, slot * blockBytes + start));
    if (filled !== bytes.length) return false;
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      if (this.#engine.checksum(bytes.subarray(at, at + pieceBytes)) !== wanted[at / pieceBytes])
        return false;
    }
    if (bytes !== into) {
      bytes.copy(into, 0, from - start, end - start);
      giveBack(bytes);
    }
    return true;
  }

  /** Whether the files still have their names: somebody may have deleted the folder. */
  async isThere(): Promise<boolean> {
    const { nlink } = await fstat(this.#blocks);
    return nlink > 0 && (await fstat(this.#index)).nlink > 0 && fs.existsSync(this.#directory);
  }

  /** Closes the files when what runs is done. */
  async close(): Promise<void> {
    this.#closed = true;
    const unused = new Promise<void>((resolve) => {
      this.#unused = resolve;
    });
    if (this.#users > 0) await unused;
    await closeDescriptor(this.#blocks);
    if (this.#direct !== undefined) await closeDescriptor(this.#direct);
    await closeDescriptor(this.#index);
  }
}
