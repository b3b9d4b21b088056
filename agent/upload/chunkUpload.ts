// Decides for every chunk and page of a run whether it must be sent, and knows when it is durable.
//
// Invariants:
//  - An id is asked for and sent at most once at a time (`open`), and not again in a run once it settled (`settled`,
//    bounded: forgetting one costs a question, nothing else). In a group that is empty nothing is asked (emptyGroup.ts).
//  - A metadata record goes out only after everything it refers to is durable or goes before it in the same
//    ordered stream: it waits for the ids in `open` that it names, and metadata keeps its order.
//  - Sealed bytes in memory stay within the budget; plaintext waits in the workers' windows for it.

import { bitAt } from "../../ingest/wire/bitmap.ts";
import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";
import type { Place } from "../backup/messages.ts";
import type { WorkerPool } from "../backup/workerPool.ts";
import { ByteBudget } from "./byteBudget.ts";
import type { EmptyGroup } from "./emptyGroup.ts";
import { HaveBatcher } from "./haveBatcher.ts";
import type { UploadPort } from "./port.ts";
import { RecentIds } from "./recentIds.ts";
import type { RecordSender } from "./recordSender.ts";

const MiB = 1024 * 1024;
const sealedBytesMax = 16 * MiB;
const hardlyShrunk = 31 / 32;

export type ChunkUploadOptions = {
  readonly port: UploadPort;
  readonly pool: Pick<WorkerPool, "seal" | "release">;
  readonly sender: RecordSender;
  /** While it lacks everything nothing is asked. */
  readonly group: EmptyGroup;
  /** Reads back a record that the gateway says it has; true when its content is right. Called for a random share. */
  readonly verify: (id: Buffer, record: Buffer) => boolean;
  /** Called for a record that is not what its id names and was reported; `writer` is the name of the device, where known. */
  readonly onWrong: (id: Buffer, writer: string | undefined) => void;
  /** Whether this chunk, which somebody else may have written, is to be read back. */
  readonly sample: () => boolean;
  readonly onError: (error: unknown) => void;
};

export class ChunkUpload {
  newChunks = 0;
  /** Plain bytes of the chunks that were sent, and of those among them that hardly shrank. */
  newBytes = 0;
  rawBytes = 0;
  readBackBytes = 0;
  readonly #options: ChunkUploadOptions;
  readonly #have: HaveBatcher;
  readonly #budget = new ByteBudget(sealedBytesMax);
  readonly #open = new Map<string, Promise<void>>();
  readonly #settled = new RecentIds();

  constructor(options: ChunkUploadOptions) {
    this.#options = options;
    this.#have = new HaveBatcher((ids) => options.port.have(ids));
  }

  /** Whether the gateway has an id that this run has not sent; asked with others where it has to be. */
  async ask(id: Buffer): Promise<boolean> {
    return !this.#options.group.lacks() && (await this.#have.ask(id));
  }

  /** The promise of an id that is not yet durable, or undefined. */
  openUpload(id: Buffer): Promise<void> | undefined {
    return this.#open.get(id.toString("latin1"));
  }

  /** Takes over a chunk in a window: it will be sealed and sent, or released because the gateway has it. */
  offer(id: Buffer, place: Place): void {
    const key = id.toString("latin1");
    if (this.#open.has(key) || this.#settled.has(key)) {
      this.#options.pool.release(place);
      return;
    }
    const upload = this.#upload(id, place).then(
      () => {
        this.#settle(key);
      },
      (error: unknown) => {
        this.#options.onError(error);
        throw error;
      },
    );
    upload.catch(() => undefined); // reported by onError; waiters see it too
    this.#open.set(key, upload);
  }

  /** Resolves when everything offered so far is durable. */
  async drained(): Promise<void> {
    while (this.#open.size > 0) await Promise.all(this.#open.values());
  }

  async #upload(id: Buffer, place: Place): Promise<void> {
    const { pool, sender } = this.#options;
    if ((await this.ask(id)) && (await this.#trusted(id))) {
      pool.release(place);
      return;
    }
    // Sealed, a chunk is never longer than this.
    let reserved = Math.min(place.length + 256, limits.recordBytesMax);
    await this.#budget.take(reserved);
    try {
      const record = await pool.seal(id, place);
      // Mostly it is far shorter, and what it does not need lets the next ones be sealed while this one is on its way.
      this.#budget.give(reserved - record.length);
      reserved = record.length;
      // Its memory is given back when it is sent.
      const isRaw = record.length > place.length * hardlyShrunk;
      const wasThere = await sender.send(record, place);
      this.newChunks += 1;
      this.newBytes += place.length;
      if (isRaw) this.rawBytes += place.length;
      // Others store in this group. The plaintext is gone, so the run begins again, and asks.
      if (wasThere && !(await this.#trusted(id)))
        throw new HoldfastError(ErrorCode.missingChunks, `chunk ${toHex(id)} is at the gateway and is wrong`);
    } finally {
      this.#budget.give(reserved);
    }
  }

  /** Whether a chunk that the gateway has may be relied on: a random share is read back and compared. */
  async #trusted(id: Buffer): Promise<boolean> {
    const { port, sample, verify, onWrong } = this.#options;
    if (!sample()) return true;
    const [record] = await port.read([id]);
    if (record !== undefined) {
      this.readBackBytes += record.length;
      if (verify(id, record)) return true;
      const [writer] = await port.suspect([id]);
      onWrong(id, writer);
    }
    const answer = await port.have([id]);
    return bitAt(answer, 0);
  }

  #settle(key: string): void {
    this.#open.delete(key);
    this.#settled.add(key);
  }
}
