// The main thread's side of the backup workers: hands out reads, keeps the load even, and seals what they read.
// Invariants: a task is answered once; a window place is released once, after its chunk was sealed or
// found to be at the gateway already; directory descriptors stay open until the tasks that use them are done.

import { availableParallelism } from "node:os";
import { extname } from "node:path";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { Chunker } from "../../vault/chunk/chunker.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { type VaultKeys, wipeSecrets } from "../../vault/keys/vaultKeys.ts";
import type { Engines } from "../platform/engines.ts";
import { type PackedOutcomes, packFiles, transferOf } from "./bundleMessage.ts";
import { ChunkSealing } from "./chunkSealing.ts";
import type {
  FileOutcome,
  FileToOpen,
  FromWorker,
  Place,
  StreamOutcome,
  StreamToRead,
  ToWorker,
  WorkerSetup,
} from "./messages.ts";

const MiB = 1024 * 1024;
/** Windows per worker and their size: the plaintext memory of a backup is workers x 4 x 6 MiB. */
const windowsPerWorker = 4;
const windowBytes = 6 * MiB;
/** Reads of a worker, with the one it does: enough that it never idles. */
const readsQueuedMax = 6;
/** Files of the reads of one worker, unless a single bundle has more: each takes about 2 KiB until its entry is written. */
const filesQueuedMax = 4096;

/** The worker beside this file: a source in a checkout, compiled where this is. */
const workerFile = new URL(`./worker${extname(import.meta.url)}`, import.meta.url);

export type BundleResult = {
  readonly id: Buffer | undefined;
  readonly place: Place | undefined;
  readonly outcomes: PackedOutcomes;
};

/** Called in file order while a large file is read. */
export type FileParts = {
  readonly hole: (length: number) => void;
  readonly chunk: (id: Buffer, place: Place) => void;
};

type Thread = {
  readonly worker: Worker;
  readonly port: MessagePort;
  readonly signal: Int32Array;
  /** Resolves when the thread is gone. */
  readonly ended: Promise<void>;
  reads: number;
  /** Files of those reads. */
  files: number;
  readonly windows: readonly Buffer[];
};

type ReadAlone<Kind, Outcome> = {
  readonly kind: Kind;
  readonly thread: Thread;
  readonly files: 1;
  readonly parts: FileParts;
  readonly resolve: (outcome: Outcome) => void;
};

type Pending =
  | {
      readonly kind: "bundle";
      readonly thread: Thread;
      readonly files: number;
      readonly resolve: (result: BundleResult) => void;
    }
  | ReadAlone<"file", FileOutcome>
  | ReadAlone<"stream", StreamOutcome>;

export type WorkerPoolOptions = {
  readonly keys: VaultKeys;
  readonly group: number;
  readonly chunker: Chunker;
  readonly compressionLevel: number;
  readonly engines: Engines;
  readonly threads?: number;
};

export class WorkerPool {
  readonly #threads: Thread[] = [];
  readonly #pending = new Map<number, Pending>();
  #sealing: ChunkSealing | undefined;
  readonly #waiting: (() => void)[] = [];
  readonly #onFailure: (error: Error) => void;
  readonly #options: WorkerPoolOptions;
  #next = 1;
  #closed = false;

  /** @param onFailure called once a worker dies; every open promise then stays open, so the caller must stop */
  constructor(options: WorkerPoolOptions, onFailure: (error: Error) => void) {
    this.#onFailure = onFailure;
    this.#options = options;
  }

  /** Threads start with the first work: a run that finds nothing changed needs none. */
  #startAll(): void {
    if (this.#threads.length > 0) return;
    const options = this.#options;
    const cores = availableParallelism();
    // A worker reads small files faster than two cores compress them, and two as fast as the main thread can take them in.
    const count = options.threads ?? (cores < 4 ? 1 : 2);
    this.#sealing = new ChunkSealing(options, cores);
    for (let index = 0; index < count; index++) this.#threads.push(this.#start(index, options));
  }

  #start(index: number, options: WorkerPoolOptions): Thread {
    const signal = new SharedArrayBuffer(4);
    const windows = Array.from({ length: windowsPerWorker }, () => new SharedArrayBuffer(windowBytes));
    const setup: WorkerSetup = {
      worker: index,
      secrets: options.keys.export(),
      group: options.group,
      chunker: options.chunker,
      windows,
      signal,
    };
    const channel = new MessageChannel();
    const worker = new Worker(workerFile, {
      workerData: { setup, port: channel.port2 },
      transferList: [channel.port2],
      resourceLimits: { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 8 },
    });
    wipeSecrets(setup.secrets); // The worker has a copy.
    const thread: Thread = {
      worker,
      port: channel.port1,
      signal: new Int32Array(signal),
      ended: new Promise((resolve) => worker.once("exit", () => resolve())),
      reads: 0,
      files: 0,
      windows: windows.map((memory) => Buffer.from(memory)),
    };
    channel.port1.on("message", (message: FromWorker) => this.#receive(message));
    worker.on("error", (error) => this.#fail(error instanceof Error ? error : new Error(String(error))));
    worker.on("exit", (code) => {
      if (!this.#closed) this.#fail(new Error(`backup worker ended with ${code}`));
    });
    return thread;
  }

  /** True while another read can be queued without waiting. */
  get hasRoom(): boolean {
    if (this.#threads.length === 0) return true;
    return this.#threads.some(({ reads, files }) => reads < readsQueuedMax && files < filesQueuedMax);
  }

  /** Resolves when hasRoom. */
  async room(): Promise<void> {
    while (!this.hasRoom) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Reads the files of one bundle. The place, if any, must be sealed or released. */
  readBundle(files: readonly FileToOpen[]): Promise<BundleResult> {
    return new Promise((resolve) => {
      const { task, thread } = this.#task(files.length);
      this.#pending.set(task, { kind: "bundle", thread, files: files.length, resolve });
      const packed = packFiles(files);
      this.#send(thread, { kind: "readBundle", task, files: packed }, transferOf(packed));
    });
  }

  /** Reads one large file; every place handed to `parts.chunk` must be sealed or released. */
  readFile(file: FileToOpen, parts: FileParts): Promise<FileOutcome> {
    return new Promise((resolve) => {
      const { task, thread } = this.#task(1);
      this.#pending.set(task, { kind: "file", thread, files: 1, parts, resolve });
      this.#send(thread, { kind: "readFile", task, file });
    });
  }

  /** Reads a pipe to its end; for places as with `readFile`. */
  readStream(stream: StreamToRead, parts: FileParts): Promise<StreamOutcome> {
    return new Promise((resolve) => {
      const { task, thread } = this.#task(1);
      this.#pending.set(task, { kind: "stream", thread, files: 1, parts, resolve });
      this.#send(thread, { kind: "readStream", task, stream });
    });
  }

  /** Compresses and seals the chunk at `place` and releases the place. */
  async seal(id: Buffer, { worker, window, offset, length }: Place): Promise<Buffer> {
    const thread = this.#threads[worker] as Thread;
    const plaintext = (thread.windows[window] as Buffer).subarray(offset, offset + length);
    const record = await (this.#sealing as ChunkSealing).seal(id, plaintext);
    this.#send(thread, { kind: "release", window });
    return record;
  }

  /** Gives back a place whose chunk is not needed. */
  release(place: Place): void {
    const thread = this.#threads[place.worker] as Thread;
    this.#send(thread, { kind: "release", window: place.window });
  }

  /**
   * Ends the workers after the piece they are at. Never by terminate(): that would abort the whole process if it struck within a
   * native call.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#sealing?.close();
    await Promise.all(
      this.#threads.map(async (thread) => {
        this.#send(thread, { kind: "stop" });
        await thread.ended;
        thread.port.close();
      }),
    );
  }

  /** A number for a read of so many files, and the thread that is to do it: the one with the fewest. */
  #task(files: number): { readonly task: number; readonly thread: Thread } {
    const thread = this.#leastRead();
    thread.reads += 1;
    thread.files += files;
    return { task: this.#next++, thread };
  }

  #leastRead(): Thread {
    this.#startAll();
    let thread = this.#threads[0] as Thread;
    for (const other of this.#threads) {
      if (other.reads < thread.reads || (other.reads === thread.reads && other.files < thread.files))
        thread = other;
    }
    return thread;
  }

  #send(thread: Thread, message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
    thread.port.postMessage(message, transfer);
    Atomics.add(thread.signal, 0, 1);
    Atomics.notify(thread.signal, 0);
  }

  #receive(message: FromWorker): void {
    if (this.#closed) return;
    switch (message.kind) {
      case "bundle":
        this.#finished(message.task, "bundle")?.resolve({
          id: message.id === undefined ? undefined : bufferOf(message.id),
          place: message.place,
          outcomes: message.outcomes,
        });
        return;
      case "file":
        this.#finished(message.task, "file")?.resolve(message.outcome);
        return;
      case "stream":
        this.#finished(message.task, "stream")?.resolve(message.outcome);
        return;
      case "hole":
      case "chunk": {
        const open = this.#pending.get(message.task);
        if (open === undefined || open.kind === "bundle") return;
        try {
          if (message.kind === "hole") open.parts.hole(message.length);
          else open.parts.chunk(bufferOf(message.id), message.place);
        } catch (error) {
          this.#onFailure(error instanceof Error ? error : new Error(String(error)));
        }
        return;
      }
      case "crashed":
        this.#fail(new Error(`backup worker crashed: ${message.message}`));
    }
  }

  /** Takes a read that is over off the list. */
  #finished<Kind extends Pending["kind"]>(
    task: number,
    kind: Kind,
  ): Extract<Pending, { readonly kind: Kind }> | undefined {
    const open = this.#pending.get(task);
    if (open?.kind !== kind) return undefined;
    this.#pending.delete(task);
    open.thread.reads -= 1;
    open.thread.files -= open.files;
    for (const wake of this.#waiting.splice(0)) wake();
    return open as Extract<Pending, { readonly kind: Kind }>;
  }

  #fail(error: Error): void {
    if (this.#closed) return;
    this.#onFailure(new HoldfastError(ErrorCode.internal, error.message, { cause: error }));
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
