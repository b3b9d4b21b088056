// Reads ranges of packs that are elsewhere, through the block cache.
//
// Invariants
// - A block is fetched by one request at a time; who wants it meanwhile waits for that one. A failure is the answer of all who wait, and is not kept.
// - Neighbouring blocks that are missing travel in one request.
// - Blocks in memory are bounded (heldRuns.ts), and are read from there as long as they are: what was fetched ahead is not read back from the cache.
// - Nothing is fetched ahead until a pack was read in order three times in a row: random reads cost no request of their own beyond their blocks.

import { asBuffer } from "../../vault/bytes.ts";
import type { Memory } from "../replica/replicaStore.ts";
import type { BlockCache } from "./blockCache.ts";
import { HeldRuns, type Run } from "./heldRuns.ts";
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

/** What readers asked for, in parts of blocks: `hits` were here, `misses` waited for a replica. Plain numbers that only grow. */
export type BlockCounts = { hits: number; misses: number; fetchedBytes: number };

/** A run on its way, or in memory. */
type Flight = { readonly run: Run; readonly answer: Promise<Buffer> };

/** Blocks of one request. */
const requestBlocksMax = 4;

export class BlockReader {
  readonly #cache: BlockCache;
  readonly #streams = new Streams();
  /** By block. */
  readonly #flights = new Map<string, Flight>();
  readonly #held: HeldRuns;
  readonly #running = new Set<Promise<unknown>>();

  readonly #counts: BlockCounts;

  constructor(cache: BlockCache, counts: BlockCounts = { hits: 0, misses: 0, fetchedBytes: 0 }) {
    this.#cache = cache;
    this.#held = new HeldRuns(cache.engine.addressOf, (run) => {
      for (const key of run.keys) if (this.#flights.get(key)?.run === run) this.#flights.delete(key);
    });
    this.#counts = counts;
  }

  /**
   * Fills the buffers of `into`, one after the other, with a pack's bytes from `position` on.
   * @throws what the source's `fetch` throws
   */
  async read(source: BlockSource, into: readonly Buffer[], position: number): Promise<void> {
    const end = into.reduce((sum, part) => sum + part.length, position);
    const first = Math.floor(position / blockBytes);
    const last = Math.floor((end - 1) / blockBytes);
    this.#fetchMissing(source, first, this.#lastWanted(source, first, last), false);
    const waiting: Promise<void>[] = [];
    let at = position;
    for (const buffer of into) {
      for (let done = 0; done < buffer.length; ) {
        const block = Math.floor(at / blockBytes);
        const from = at - block * blockBytes;
        const part = buffer.subarray(done, done + blockBytes - from);
        if (this.#copyNow(this.#flights.get(keyOf(source, block))?.run, block, part, from))
          this.#counts.hits++;
        else waiting.push(this.#copy(source, block, part, from));
        done += part.length;
        at += part.length;
      }
    }
    this.#readAhead(source, first, last);
    if (waiting.length > 0) await allOf(waiting);
  }

  /** A reader in order that has to wait, because there was no room to fetch ahead, waits for a whole request, not for a block at a time. */
  #lastWanted(source: BlockSource, first: number, last: number): number {
    if (!this.#streams.isInOrder(packOf(source), first)) return last;
    const end = Math.floor((source.bytes - 1) / blockBytes);
    let missing = first;
    while (missing <= last && !this.#isMissing(source, missing)) missing++;
    return missing > last ? last : Math.min(end, Math.max(last, missing + requestBlocksMax - 1));
  }

  /** Copies from a block that is in memory. */
  #copyNow(run: Run | undefined, block: number, part: Buffer, from: number): boolean {
    if (run?.bytes === undefined) return false;
    const start = (block - run.first) * blockBytes + from;
    run.bytes.copy(part, 0, start, start + part.length);
    this.#held.copied(run, part.length);
    return true;
  }

  /** The same when the block has come, or was read from the cache. */
  async #copy(source: BlockSource, block: number, part: Buffer, from: number): Promise<void> {
    for (;;) {
      const flight = this.#flights.get(keyOf(source, block));
      if (flight !== undefined) {
        await flight.answer;
        // It may have left memory between its answer and this turn.
        if (this.#copyNow(flight.run, block, part, from)) {
          this.#counts.misses++;
          return;
        }
      } else if (await this.#cache.read(source.name, block, part, from)) {
        this.#counts.hits++;
        return;
      }
      // Not in the cache, or its bytes there are no good.
      this.#fetchMissing(source, block, block, false);
    }
  }

  /** Starts requests for the blocks of a range that are neither here nor on their way. Returns the first block for which there was no room. */
  #fetchMissing(source: BlockSource, first: number, last: number, ahead: boolean): number {
    for (let block = first; block <= last; ) {
      let count = 0;
      while (count < requestBlocksMax && block + count <= last && this.#isMissing(source, block + count))
        count++;
      if (count > 0) {
        if (ahead && !this.#held.hasRoomAhead(count * blockBytes)) return block;
        this.#fetch(source, block, count, ahead);
      }
      block += Math.max(1, count);
    }
    return last + 1;
  }

  #isMissing(source: BlockSource, block: number): boolean {
    return !this.#flights.has(keyOf(source, block)) && !this.#cache.has(source.name, block);
  }

  /** One request for neighbouring blocks. */
  #fetch(source: BlockSource, first: number, count: number, ahead: boolean): void {
    const offset = first * blockBytes;
    const length = Math.min(source.bytes, (first + count) * blockBytes) - offset;
    this.#counts.fetchedBytes += length;
    const keys = Array.from({ length: count }, (_, i) => keyOf(source, first + i));
    const run: Run = { keys, first, length, ahead, bytes: undefined, copied: 0, idle: false };
    const reserved = this.#held.reserve(length);
    const answer = reserved.then(async () => {
      run.bytes = await source.fetch(offset, length, this.#held.take);
      return run.bytes;
    });
    for (const key of keys) this.#flights.set(key, { run, answer });
    const kept = answer.then(async (bytes) => {
      const block = (i: number): Buffer => bytes.subarray(i * blockBytes, (i + 1) * blockBytes);
      await Promise.all(keys.map((_, i) => this.#cache.put(source.name, first + i, block(i), ahead)));
    });
    const all = kept.then(
      () => this.#held.landed(run),
      () => this.#held.leave(run),
    );
    this.#running.add(all);
    void all.finally(() => this.#running.delete(all));
  }

  /** Fetches what a reader who goes on like this will want next, also from the beginning of the pack after. */
  #readAhead(source: BlockSource, first: number, last: number): void {
    const end = Math.floor((source.bytes - 1) / blockBytes);
    const wish = this.#streams.note(packOf(source), first, last);
    if (wish === undefined) return;
    const ahead = this.#fetchMissing(source, wish.from, Math.min(wish.to, end), true);
    const next = ahead > end && wish.to > end && wish.steady ? source.next() : undefined;
    const over = next === undefined ? 0 : this.#fetchAhead(next, wish.to - end);
    this.#streams.asked(packOf(source), ahead > end && next === undefined ? wish.to + 1 : ahead + over);
  }

  /** The first blocks of the pack after, for a reader who comes to it. Returns how many are here or on their way. */
  #fetchAhead(next: BlockSource, blocks: number): number {
    const last = Math.min(blocks, Math.ceil(next.bytes / blockBytes)) - 1;
    const ahead = this.#fetchMissing(next, 0, last, true);
    this.#streams.goOn(packOf(next), ahead);
    return ahead;
  }

  /** Forgets the blocks of a range: their bytes are wrong. */
  async drop(source: BlockSource, position: number, length: number): Promise<void> {
    const last = Math.floor((position + length - 1) / blockBytes);
    for (let block = Math.floor(position / blockBytes); block <= last; block++) {
      await this.#flights.get(keyOf(source, block))?.answer.catch(() => undefined);
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

function packOf({ name }: BlockSource): string {
  return asBuffer(name).toString("latin1");
}

function keyOf(source: BlockSource, block: number): string {
  return `${packOf(source)}${block}`;
}

/** Waits for all to settle, so that nobody writes to memory that was given back, then throws the first failure. */
async function allOf(parts: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(parts)) if (result.status === "rejected") throw result.reason;
}
