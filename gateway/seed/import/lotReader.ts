// Reads lots of packs from a folder, holds each against its name and looks through it, in threads of their own: for a small pack four calls of
// Node's pool, a hash and a walk over the records cost the thread that decides more than all else.
//
// Invariants
// - A lot's memory is what its rows say together, allocated when its turn comes; each thread has one lot at a time.
// - Right is what a regular file of exactly the stated length holds, whose SHA-256 is the name, and which is a pack as its row says.

import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import type { SeedPackRow } from "../../../vault/seed/packList.ts";
import type { PackedPlaces } from "./packedPlaces.ts";

/** What the threads are asked. */
export type LotRequest = {
  readonly ticket: number;
  /** Of a vault. */
  readonly folder: string;
  /** Names in memory of its own, without anything beside them. */
  readonly packs: readonly SeedPackRow[];
  readonly epochMax: number;
};

export type LotAnswer = {
  readonly ticket: number;
  /** All packs one after the other, each in the room that its row says. */
  readonly bytes: Uint8Array;
  /** 1 for each pack that is there and right. */
  readonly right: Uint8Array;
  /** Of all records of the right packs, in `bytes`. */
  readonly places: PackedPlaces;
  /** The first 16 bytes of the SHA-256 of each of these records. */
  readonly hashes: Uint8Array;
};

/** Reads closed packs in a vault's folder. */
export type ReadLot = (folder: string, packs: readonly SeedPackRow[]) => Promise<LotAnswer>;

type Waiting = { readonly resolve: (answer: LotAnswer) => void; readonly reject: (error: unknown) => void };

/** Two, so that a disk has the next read to do while a lot is hashed. */
const threadsMax = 2;
const workerFile = new URL(`./lotReaderWorker${extname(import.meta.url)}`, import.meta.url);

export class LotReader {
  readonly #threads: { readonly worker: Worker; load: number }[] = [];
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;
  #failure: unknown;

  /** Closed packs in a vault's folder; `epochMax` as for `checkedContents`. Throws when a thread failed. */
  async read(folder: string, packs: readonly SeedPackRow[], epochMax: number): Promise<LotAnswer> {
    if (this.#failure !== undefined) throw this.#failure;
    const thread = this.#thread();
    const ticket = this.#next++;
    // The name is a view of the list: all that lies beside it would be copied along.
    const rows = packs.map((row) => ({ ...row, name: Uint8Array.from(row.name) }));
    const request: LotRequest = { ticket, folder, packs: rows, epochMax };
    thread.load++;
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.set(ticket, { resolve, reject });
        thread.worker.postMessage(request);
      });
    } finally {
      thread.load--;
    }
  }

  /** One that is idle, a new one, or the one with the least to do. */
  #thread(): { readonly worker: Worker; load: number } {
    const [least] = this.#threads.toSorted((a, b) => a.load - b.load);
    if (least !== undefined && (least.load === 0 || this.#threads.length === threadsMax)) return least;
    const worker = new Worker(workerFile, {
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 },
    });
    worker.on("message", (answer: LotAnswer) => {
      this.#waiting.get(answer.ticket)?.resolve(answer);
      this.#waiting.delete(answer.ticket);
    });
    worker.on("error", (error) => this.#fail(error));
    worker.on("exit", (code) => this.#fail(new Error(`a reader of lots ended with ${code}`)));
    const thread = { worker, load: 0 };
    this.#threads.push(thread);
    return thread;
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  /** Ends the threads; nothing may be read any more. */
  async close(): Promise<void> {
    this.#fail(new Error("the reader of lots is closed"));
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }
}
