// Reads ranges of packs that are elsewhere, through the block cache.
//
// Invariants
// - A block is fetched by one request at a time; who wants it meanwhile waits for that one. A failure is the answer of all who wait, and is not kept.
// - Neighbouring blocks that are missing travel in one request.
// - Blocks in memory take at most `roomBytesMax`, read-ahead included: those on their way, and the last ones that came, which are read sooner
//   from here than from the cache.
// - Nothing is fetched ahead until a pack was read in order three times in a row: random reads cost no request of their own beyond their blocks.

import { asBuffer } from "../../vault/bytes.ts";
import type { Memory } from "../replica/replicaStore.ts";
import type { BlockCache } from "./blockCache.ts";
import { BlockMemory } from "./blockMemory.ts";
import { ByteRoom } from "./byteRoom.ts";
import { blockBytes } from "./slotFile.ts";
import { Streams } from "./streams.ts";

/** A pack as it can be read elsewhere. */
export type BlockSource = {
  /** SHA-256 of the pack, 32 bytes. */
  readonly name: Uint8Array;
  /** Bytes of the pack. */
  readonly bytes: number;
  /** Exactly these bytes from any copy, in `memory` if need be. */
  readonly fetch: (offset: number, length: number, memory?: Memory) => Promise<Buffer>;
  /** The pack that a reader who is at this one's end will probably want next. */
  readonly next: () => BlockSource | undefined;
};

/** A request's blocks, and the bytes that they have together. */
type Request = {
  readonly blocks: { readonly key: string; readonly block: Promise<Buffer> }[];
  readonly length: number;
  /** Where they are, from when they have come until they leave memory. */
  bytes: Buffer | undefined;
};

/** Memory for blocks. */
export const roomBytesMax = 56 * 2 ** 20;
/** Of it, for blocks that are in the cache already. */
const lastBytesMax = 8 * 2 ** 20;
/** Blocks of one request. */
const requestBlocksMax = 4;
/** Read-ahead leaves this to those who wait for their blocks. */
const roomForReaders = 8 * 2 ** 20;

export class BlockReader {
  readonly #cache: BlockCache;
  readonly #room = new ByteRoom(roomBytesMax);
  readonly #memory = new BlockMemory();
  readonly #streams = new Streams();
  /** Blocks that are being fetched or put into the cache, and those of `#last`. */
  readonly #flights = new Map<string, Promise<Buffer>>();
  /** Requests that are done, the oldest first. */
  readonly #last: Request[] = [];
  #lastBytes = 0;
  readonly #running = new Set<Promise<unknown>>();

  constructor(cache: BlockCache) {
    this.#cache = cache;
  }

  /** Fills `into` with a pack's bytes from `position` on. @throws what the source's `fetch` throws */
  async read(source: BlockSource, into: Buffer, position: number): Promise<void> {
    const first = Math.floor(position / blockBytes);
    const last = Math.floor((position + into.length - 1) / blockBytes);
    this.#fetchMissing(source, first, last, false);
    const parts: Promise<void>[] = [];
    for (let block = first; block <= last; block++) parts.push(this.#copy(source, block, into, position));
    this.#readAhead(source, first, last);
    await allOf(parts);
  }

  /** One block's share of a read. */
  async #copy(source: BlockSource, block: number, into: Buffer, position: number): Promise<void> {
    const start = Math.max(position, block * blockBytes);
    const end = Math.min(position + into.length, (block + 1) * blockBytes);
    const part = into.subarray(start - position, end - position);
    const from = start - block * blockBytes;
    for (;;) {
      const flight = this.#flights.get(keyOf(source, block));
      if (flight !== undefined) {
        (await flight).copy(part, 0, from, from + part.length);
        return;
      }
      if (await this.#cache.read(source.name, block, part, from)) return;
      // Not in the cache, or its bytes there are no good.
      this.#fetchMissing(source, block, block, false);
    }
  }

  /** Starts requests for the blocks of a range that are neither here nor on their way. */
  #fetchMissing(source: BlockSource, first: number, last: number, ahead: boolean): void {
    for (let block = first; block <= last; ) {
      let count = 0;
      while (count < requestBlocksMax && block + count <= last && this.#isMissing(source, block + count))
        count++;
      if (count > 0) {
        if (ahead && this.#room.free < roomForReaders + count * blockBytes) return;
        this.#fetch(source, block, count);
      }
      block += Math.max(1, count);
    }
  }

  #isMissing(source: BlockSource, block: number): boolean {
    return !this.#flights.has(keyOf(source, block)) && !this.#cache.has(source.name, block);
  }

  /** One request for neighbouring blocks. */
  #fetch(source: BlockSource, first: number, count: number): void {
    const offset = first * blockBytes;
    const length = Math.min(source.bytes, (first + count) * blockBytes) - offset;
    while (this.#room.free < length && this.#last.length > 0) this.#letGo();
    const reserved = this.#room.take(length);
    const request: Request = { blocks: [], length, bytes: undefined };
    const answer = reserved.then(async () => {
      request.bytes = await source.fetch(offset, length, this.#memory.take);
      return request.bytes;
    });
    const kept: Promise<void>[] = [];
    for (let i = 0; i < count; i++) {
      const block = answer.then((bytes) => bytes.subarray(i * blockBytes, (i + 1) * blockBytes));
      const key = keyOf(source, first + i);
      this.#flights.set(key, block);
      request.blocks.push({ key, block });
      kept.push(block.then((bytes) => this.#cache.put(source.name, first + i, bytes)));
    }
    const all = Promise.allSettled(kept).then(async (results) => {
      await reserved;
      if (results.some(({ status }) => status === "rejected")) this.#forget(request);
      else {
        this.#last.push(request);
        this.#lastBytes += length;
        while (this.#lastBytes > lastBytesMax) this.#letGo();
      }
    });
    this.#running.add(all);
    void all.finally(() => this.#running.delete(all));
  }

  /** The oldest request that is done leaves memory. */
  #letGo(): void {
    const oldest = this.#last.shift();
    if (oldest === undefined) return;
    this.#lastBytes -= oldest.length;
    this.#forget(oldest);
  }

  #forget(request: Request): void {
    const { blocks, length, bytes } = request;
    for (const { key, block } of blocks) if (this.#flights.get(key) === block) this.#flights.delete(key);
    // Whoever waits for a block copies it as soon as it is there, before anything else can come into the same memory.
    request.bytes = undefined;
    if (bytes !== undefined) this.#memory.give(bytes);
    this.#room.give(length);
  }

  /** Fetches what a reader who goes on like this will want next, also from the beginning of the pack after. */
  #readAhead(source: BlockSource, first: number, last: number): void {
    const key = asBuffer(source.name).toString("latin1");
    const end = Math.floor((source.bytes - 1) / blockBytes);
    const wish = this.#streams.note(key, first, last);
    if (wish === undefined) return;
    this.#fetchMissing(source, wish.from, Math.min(wish.to, end), true);
    if (wish.to <= end || !wish.steady) return;
    const next = source.next();
    if (next === undefined) return;
    const over = wish.to - end - 1;
    this.#streams.goOn(asBuffer(next.name).toString("latin1"), over);
    this.#fetchMissing(next, 0, Math.min(over, Math.floor((next.bytes - 1) / blockBytes)), true);
  }

  /** Forgets the blocks of a range: their bytes are wrong. */
  async drop(source: BlockSource, position: number, length: number): Promise<void> {
    const last = Math.floor((position + length - 1) / blockBytes);
    for (let block = Math.floor(position / blockBytes); block <= last; block++) {
      await this.#flights.get(keyOf(source, block))?.catch(() => undefined);
      await Promise.allSettled([...this.#running]);
      this.#flights.delete(keyOf(source, block));
      await this.#cache.drop(source.name, block);
    }
  }

  /** Resolves when no request runs. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled([...this.#running]);
  }
}

function keyOf({ name }: BlockSource, block: number): string {
  return `${asBuffer(name).toString("latin1")}${block}`;
}

/** Waits for all to settle, so that nobody writes to memory that was given back, then throws the first failure. */
async function allOf(parts: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(parts)) if (result.status === "rejected") throw result.reason;
}
