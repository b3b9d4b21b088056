// Blocks of evicted packs on the local disk: 1 MiB each, aligned in the pack, up to a limit; what was not read for longest goes first, about.
//
// Invariants
// - A block is handed out only if its bytes fit the checksums that were taken when it was put there (slotFile.ts).
// - A place that is being written is nobody's: it is found again only once its bytes are there.
// - The folder may be deleted at any time, also while it is in use: it is begun anew then.
// - A cache that cannot be written is no failure: blocks are fetched each time.
// Memory: about 0.3 KiB a block.

import { statfs } from "node:fs/promises";
import { asBuffer } from "../../vault/bytes.ts";
import { type BlockEngine, nodeBlockEngine } from "./blockEngine.ts";
import { blockBytes, SlotFile } from "./slotFile.ts";

export type BlockCacheOptions = {
  readonly directory: string;
  readonly bytesMax: number;
  /** The cache grows only while more than this is free on its disk. */
  readonly reserveBytes: number;
  /** What is everywhere by default. */
  readonly engine?: BlockEngine | undefined;
  readonly report: (event: string, facts: Record<string, unknown>) => void;
};

/** Between two looks whether the folder is still there and the disk has room: blocks put. */
const looksEvery = 64;

export class BlockCache {
  readonly engine: BlockEngine;
  readonly #options: BlockCacheOptions;
  readonly #slotsMax: number;
  #file: SlotFile;
  /** Place by block. */
  #slots = new Map<string, number>();
  /** Block by place; undefined: empty. */
  #keys: (string | undefined)[] = [];
  /** 1: read since the hand came by; 2: being written. */
  #marks: number[] = [];
  #hand = 0;
  #puts = 0;
  #mayGrow = true;
  #reported = false;

  private constructor(options: BlockCacheOptions, file: SlotFile, engine: BlockEngine) {
    this.engine = engine;
    this.#options = options;
    this.#slotsMax = slotsOf(options);
    this.#file = file;
  }

  /** Opens the cache in a folder and finds what is in it. @throws HoldfastError io-error, disk-full */
  static async open(options: BlockCacheOptions): Promise<BlockCache> {
    const engine = options.engine ?? nodeBlockEngine;
    const file = await SlotFile.open(options.directory, slotsOf(options), engine);
    const cache = new BlockCache(options, file, engine);
    for await (const { slot, entry } of file.entries()) {
      const key = keyOf(entry.name, entry.block);
      if (cache.#slots.has(key)) continue;
      while (cache.#keys.length <= slot) cache.#addSlot();
      cache.#keys[slot] = key;
      cache.#slots.set(key, slot);
    }
    const used = await file.count();
    while (cache.#keys.length < used) cache.#addSlot();
    return cache;
  }

  #addSlot(): number {
    this.#marks.push(0);
    return this.#keys.push(undefined) - 1;
  }

  /** Blocks that are here. */
  get size(): number {
    return this.#slots.size;
  }

  has(name: Uint8Array, block: number): boolean {
    return this.#slots.has(keyOf(name, block));
  }

  /** Fills `into` from a block, from `from` on; false when it is not here. */
  async read(name: Uint8Array, block: number, into: Buffer, from: number): Promise<boolean> {
    const key = keyOf(name, block);
    const slot = this.#slots.get(key);
    if (slot === undefined) return false;
    this.#marks[slot] = 1;
    const file = this.#file;
    try {
      if (await file.read(slot, into, from)) return true;
    } catch (error) {
      this.#fail(error);
    }
    if (this.#file === file && this.#slots.get(key) === slot) this.#empty(slot);
    return false;
  }

  /**
   * Keeps a block. `bytes` must not change until it resolves, which it does in any case. `once`: it will hardly be read from here soon, so it
   * need not take the system's memory.
   */
  async put(name: Uint8Array, block: number, bytes: Buffer, once = false): Promise<void> {
    await this.#put(name, block, bytes, once).catch((error: unknown) => this.#fail(error));
  }

  async #put(name: Uint8Array, block: number, bytes: Buffer, once: boolean): Promise<void> {
    if (this.#puts++ % looksEvery === 0) await this.#look();
    const key = keyOf(name, block);
    if (this.#slots.has(key)) return;
    const slot = this.#place();
    if (slot === undefined) return;
    const file = this.#file;
    this.#marks[slot] = 2;
    try {
      await file.write(slot, { name: asBuffer(name), block }, bytes, once);
    } finally {
      if (this.#file === file) this.#marks[slot] = 0;
    }
    if (this.#file !== file || this.#slots.has(key)) return;
    this.#keys[slot] = key;
    this.#slots.set(key, slot);
  }

  /** An empty place: a new one, or one whose block was not read lately. */
  #place(): number | undefined {
    if (this.#keys.length < this.#slotsMax && this.#mayGrow) return this.#addSlot();
    const count = this.#keys.length;
    for (let looked = 0; looked < 2 * count; looked++) {
      const slot = this.#hand;
      this.#hand = (this.#hand + 1) % count;
      if (this.#marks[slot] === 2) continue;
      if (this.#marks[slot] === 1 && this.#keys[slot] !== undefined) this.#marks[slot] = 0;
      else {
        this.#empty(slot);
        return slot;
      }
    }
    return undefined;
  }

  #empty(slot: number): void {
    const key = this.#keys[slot];
    if (key !== undefined) this.#slots.delete(key);
    this.#keys[slot] = undefined;
  }

  /** Forgets a block whose bytes are of no use. */
  async drop(name: Uint8Array, block: number): Promise<void> {
    const slot = this.#slots.get(keyOf(name, block));
    if (slot === undefined) return;
    this.#empty(slot);
    this.#marks[slot] = 2;
    const file = this.#file;
    await file.clear(slot).catch((error: unknown) => this.#fail(error));
    if (this.#file === file) this.#marks[slot] = 0;
  }

  async #look(): Promise<void> {
    const { directory, reserveBytes } = this.#options;
    if (!(await this.#file.isThere())) {
      const before = this.#file;
      this.#file = await SlotFile.open(directory, this.#slotsMax, this.engine);
      this.#slots = new Map();
      this.#keys = [];
      this.#marks = [];
      this.#hand = 0;
      void before.close();
    }
    const { bavail, bsize } = await statfs(directory);
    this.#mayGrow = bavail * bsize > reserveBytes + looksEvery * blockBytes;
  }

  #fail(error: unknown): void {
    if (this.#reported) return;
    this.#reported = true;
    this.#options.report("block-cache-failed", { error: String(error) });
  }

  /** Waits for what is being written and closes the files. */
  async close(): Promise<void> {
    await this.#file.close();
  }
}

function slotsOf({ bytesMax }: BlockCacheOptions): number {
  return Math.max(1, Math.floor(bytesMax / blockBytes));
}

function keyOf(name: Uint8Array, block: number): string {
  return `${asBuffer(name).toString("latin1")}${block}`;
}
