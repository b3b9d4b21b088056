// Puts the content of small files into the kernel's page cache before a reader that goes from file to file asks for it: a request
// for each of 50,000 files costs more than their bytes.
//
// Invariants: the main thread never waits for the kernel here (storeWorker.ts does); a record is pinned until the storing thread is done
// with it; after drop() nothing that was taken before is stored any more; what is on its way is at most bytesMax. The
// descriptor is a duplicate of our own, so that no message goes to whatever gets the number of a closed one.

import { closeSync } from "node:fs";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { keepNewest } from "../../view/newest.ts";
import type { CachedRecord } from "../../view/plaintextCache.ts";
import type { FileTaker, ReadyFile, ReadyFiles } from "../../view/readyFiles.ts";
import type { RowDirectory, RowSource } from "../../view/rows.ts";
import type { FilesRead } from "./filesRead.ts";
import { type Libc, loadLibc } from "./libc.ts";
import { noticeMsMax } from "./notices.ts";
import type { RowNodes } from "./rowNodes.ts";
import { entryNumbers, RING_NUMBERS, StoreSender, storeMemory } from "./storeRing.ts";
import type { StoreWorkerData } from "./storeWorker.ts";

const bytesMax = 16 * 1024 * 1024;
/** Files of more pieces are left to be read: the kernel takes 1,024 at once. */
const piecesMax = 64;
const sendBytes = 256 * 1024;
const directoriesKept = 256;
/** Records up to this may lie in V8's heap, which moves them. */
const movingBytesMax = 64;
/** Pins end when something else is taken, or so much later. */
const reapMs = 20;

const workerFile = new URL(`./storeWorker${extname(import.meta.url)}`, import.meta.url);

type Listed = { readonly directory: RowDirectory; readonly rows: number };
/** What waits for the thread: one entry of the ring. */
type Taken = {
  readonly nodeId: number;
  readonly records: readonly CachedRecord[];
  readonly size: number;
  readonly numbers: number;
};

export type ContentStoresParts = {
  /** Of /dev/fuse. */
  readonly descriptor: number;
  readonly rows: RowSource;
  readonly ready: ReadyFiles;
  readonly nodes: RowNodes;
  readonly filesRead: FilesRead;
  /** Answers requests that make the kernel hold locks of a node: storing waits for them. */
  readonly interrupt: (nodeId: number) => void;
};

export class ContentStores {
  readonly #parts: ContentStoresParts;
  readonly #libc: Libc | undefined;
  readonly #memory = storeMemory();
  readonly #sender = new StoreSender(this.#memory);
  /** Directories that were listed last, by the id of their page; so many of their rows the kernel knows. */
  readonly #listed = new Map<string, Listed>();
  readonly #addresses = new WeakMap<CachedRecord, number>();
  readonly #stop: () => void;
  #worker: Worker | undefined;
  #ended: Promise<void> = Promise.resolve();
  #closed = false;
  /** The oldest first. */
  #taken: Taken[] = [];
  #bytes = 0;
  /** Of the ring. */
  #numbers = 0;
  #bytesUnsent = 0;
  #reaping: NodeJS.Timeout | undefined;
  #fresh: RowDirectory | undefined;

  constructor(parts: ContentStoresParts) {
    this.#parts = parts;
    this.#libc = loadLibc();
    this.#stop = this.#libc === undefined ? () => undefined : parts.ready.offerTo(this.#take);
  }

  /** The kernel is told of the first `rows` rows of a directory in the reply that is sent next. */
  listed(directory: RowDirectory, rows: number): void {
    if (this.#libc === undefined || this.#closed) return;
    const key = Buffer.from(directory.id).toString("latin1");
    const known = this.#listed.get(key);
    if (known !== undefined && known.rows >= rows && isSame(known.directory, directory)) return;
    const copy = { ...directory, id: Buffer.from(directory.id) };
    keepNewest(this.#listed, key, { directory: copy, rows }, directoriesKept);
    this.#fresh = copy;
  }

  /** The reply was sent. */
  replied(): void {
    if (this.#fresh === undefined) return;
    const directory = this.#fresh;
    this.#fresh = undefined;
    this.#parts.ready.listed(directory);
    this.#send();
  }

  readonly #take: FileTaker = ({ tree, directory, row, size, pieces }: ReadyFile) => {
    const { rows, nodes, filesRead } = this.#parts;
    const known = this.#listed.get(directory);
    if (known?.directory.tree !== tree || row >= known.rows || rows.isClosed(tree)) return false;
    const nodeId = nodes.idOf(known.directory, row);
    if (nodeId === undefined || pieces.length > piecesMax || !this.#hasRoom(size, pieces.length)) return true;
    if (pieces.some(({ record }) => record.plaintext.length <= movingBytesMax)) return true;
    if (!this.#start()) return true;
    const records: CachedRecord[] = [];
    const places: number[] = [];
    for (const { record, start, length } of pieces) {
      places.push(this.#addressOf(record) + start, length);
      record.pins++;
      records.push(record);
    }
    filesRead.add(nodeId);
    const numbers = this.#sender.write(nodeId, size, places);
    this.#taken.push({ nodeId, records, size, numbers });
    this.#bytes += size;
    this.#numbers += numbers;
    if (this.#bytesUnsent === 0) setImmediate(() => this.#send());
    this.#bytesUnsent += size;
    if (this.#bytesUnsent >= sendBytes) this.#send();
    return true;
  };

  #hasRoom(size: number, pieces: number): boolean {
    const fits = (): boolean =>
      this.#bytes + size <= bytesMax && this.#numbers + entryNumbers(pieces) <= RING_NUMBERS;
    if (fits()) return true;
    this.#reap();
    return fits();
  }

  #addressOf(record: CachedRecord): number {
    let address = this.#addresses.get(record);
    if (address === undefined) {
      address = (this.#libc as Libc).addressOf(record.plaintext);
      this.#addresses.set(record, address);
    }
    return address;
  }

  #send(): void {
    if (this.#bytesUnsent === 0) return;
    this.#bytesUnsent = 0;
    this.#sender.send();
    this.#reapLater();
  }

  /** Lets go of what was stored. */
  #reap(): void {
    const waiting = this.#worker === undefined ? 0 : this.#sender.waiting;
    const stored = this.#taken.splice(0, this.#taken.length - waiting);
    for (const { records, size, numbers } of stored) {
      for (const record of records) record.pins--;
      this.#bytes -= size;
      this.#numbers -= numbers;
    }
  }

  #reapLater(): void {
    this.#reaping ??= setTimeout(() => {
      this.#reaping = undefined;
      this.#reap();
      if (this.#taken.length > 0) this.#reapLater();
    }, reapMs);
  }

  /** Whether there is a thread, from now on at the latest. */
  #start(): boolean {
    if (this.#closed || this.#worker !== undefined) return !this.#closed;
    const descriptor = (this.#libc as Libc).duplicate(this.#parts.descriptor);
    if (descriptor < 0) return false;
    const worker = new Worker(workerFile, {
      workerData: { descriptor, memory: this.#memory } satisfies StoreWorkerData,
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
    });
    worker.on("error", () => undefined);
    this.#ended = new Promise((resolve) => {
      worker.on("exit", () => {
        this.#worker = undefined;
        this.#closed = true;
        closeSync(descriptor);
        this.#reap();
        resolve();
      });
    });
    worker.unref();
    this.#worker = worker;
    return true;
  }

  /** Resolves when the kernel gets nothing more of what was taken so far. */
  async drop(): Promise<void> {
    this.#listed.clear();
    this.#fresh = undefined;
    this.#bytesUnsent = 0;
    this.#sender.skip();
    const late = setInterval(() => {
      this.#reap();
      const [at] = this.#taken;
      if (at !== undefined) this.#parts.interrupt(at.nodeId);
    }, noticeMsMax);
    while (this.#worker !== undefined && this.#sender.waiting !== 0) await this.#sender.progress();
    clearInterval(late);
    this.#reap();
  }

  /** Ends the thread. Requests must be answered until it resolves. */
  async close(): Promise<void> {
    this.#stop();
    this.#closed = true;
    this.#worker?.ref();
    await this.drop();
    clearTimeout(this.#reaping);
    this.#sender.stop();
    await this.#ended;
  }
}

function isSame(one: RowDirectory, other: RowDirectory): boolean {
  return one.tree === other.tree && one.inodeLow === other.inodeLow && one.inodeHigh === other.inodeHigh;
}
