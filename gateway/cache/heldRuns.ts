// Blocks in memory: on their way, fetched ahead and not read yet, and those that were read last.
//
// Invariants
// - All of them, and memory that waits for the next ones, together take at most `roomBytesMax`.
// - Who waits for blocks gets room before anything stays that is in the cache already; read-ahead takes none from what was fetched ahead
//   and not read yet, and leaves `roomForReaders` free.
// - What was read, or fetched for a reader alone, takes at most `readBytesMax`; what was fetched ahead and is read by nobody leaves after some seconds.
// - Memory is used again only for runs that nobody reads any more: readers copy in the turn in which they find `bytes`.

import type { Memory } from "../replica/replicaStore.ts";
import type { BlockEngine } from "./blockEngine.ts";
import { BlockMemory, memoryFor } from "./blockMemory.ts";
import { ByteRoom } from "./byteRoom.ts";

/** Neighbouring blocks of a pack, which one request brings. */
export type Run = {
  /** Names of the blocks. */
  readonly keys: readonly string[];
  readonly first: number;
  readonly length: number;
  /** Fetched before anybody asked for it. */
  readonly ahead: boolean;
  /** Where they are, from when they have come until they leave memory. */
  bytes: Buffer | undefined;
  /** Bytes that readers have copied. */
  copied: number;
  /** Nobody copied from it since the last look. */
  idle: boolean;
};

/** Memory for blocks. */
export const roomBytesMax = 56 * 2 ** 20;
/** Of it, for blocks that were read. */
const readBytesMax = 8 * 2 ** 20;
/** Read-ahead leaves this to those who wait for their blocks. */
const roomForReaders = 8 * 2 ** 20;
/** A run is read when so much of it is left at most: the trailer of a pack, say. */
const restBytesMax = 128 * 1024;
const idleMs = 5_000;

export class HeldRuns {
  readonly #room = new ByteRoom(roomBytesMax);
  readonly #memory: BlockMemory;
  readonly #gone: (run: Run) => void;
  /** In the cache; the oldest first. */
  readonly #read: Run[] = [];
  readonly #unread: Run[] = [];
  #readBytes = 0;
  /** Room was reserved since the last look. */
  #wasBusy = false;
  #looks: NodeJS.Timeout | undefined;

  /** `gone` is told of each run that leaves memory. */
  constructor(addressOf: BlockEngine["addressOf"], gone: (run: Run) => void) {
    this.#memory = new BlockMemory(addressOf);
    this.#gone = gone;
  }

  /** Memory for a run's bytes. */
  readonly take: Memory = (bytes) => this.#memory.take(bytes);

  /** Whether a run may be fetched ahead now. */
  hasRoomAhead(length: number): boolean {
    const wanted = roomForReaders + memoryFor(length);
    if (this.#room.isAwaited || this.#room.free + this.#readBytes < wanted) return false;
    while (this.#room.free < wanted) this.#letGo(this.#read);
    return true;
  }

  /** Resolves when there is room for a run. */
  async reserve(length: number): Promise<void> {
    const wanted = memoryFor(length);
    while (this.#room.free < wanted && this.#letGoOldest());
    await this.#room.take(wanted);
    this.#wasBusy = true;
    this.#lookAgain();
    this.#memory.trim(this.#room.free);
  }

  /** Readers copied so much of a run. */
  copied(run: Run, bytes: number): void {
    run.copied += bytes;
    run.idle = false;
    if (run.copied + restBytesMax < run.length) return;
    const at = this.#unread.indexOf(run);
    if (at < 0) return;
    this.#unread.splice(at, 1);
    this.#addRead(run);
  }

  /** A run is in the cache as well now. */
  landed(run: Run): void {
    if (run.ahead && run.copied + restBytesMax < run.length) this.#unread.push(run);
    else this.#addRead(run);
    while (this.#room.isAwaited && this.#letGoOldest());
  }

  #addRead(run: Run): void {
    this.#read.push(run);
    this.#readBytes += memoryFor(run.length);
    while (this.#readBytes > readBytesMax) this.#letGo(this.#read);
  }

  #letGoOldest(): boolean {
    const runs = this.#read.length > 0 ? this.#read : this.#unread;
    if (runs.length === 0) return false;
    this.#letGo(runs);
    return true;
  }

  #letGo(runs: Run[]): void {
    const oldest = runs.shift();
    if (oldest === undefined) throw new Error("no run to let go");
    if (runs === this.#read) this.#readBytes -= memoryFor(oldest.length);
    this.leave(oldest);
  }

  /** A run that reserved room leaves memory, also one that never came. */
  leave(run: Run): void {
    this.#gone(run);
    const { bytes } = run;
    run.bytes = undefined;
    if (bytes !== undefined) this.#memory.give(bytes);
    this.#room.give(memoryFor(run.length));
    this.#memory.trim(this.#room.free);
  }

  /** Lets go of what nobody reads any more, and of memory that nobody needs. */
  #lookAgain(): void {
    this.#looks ??= setTimeout(() => {
      this.#looks = undefined;
      for (const runs of [this.#read, this.#unread]) {
        // The idle ones come first in the order of landing, but for a reader that goes back: it has the cache.
        while (runs[0]?.idle) this.#letGo(runs);
        for (const run of runs) run.idle = true;
      }
      if (!this.#wasBusy) this.#memory.trim(0);
      const more = this.#wasBusy || this.#read.length + this.#unread.length > 0;
      this.#wasBusy = false;
      if (more) this.#lookAgain();
    }, idleMs).unref();
  }
}
