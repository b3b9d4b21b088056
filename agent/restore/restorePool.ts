// The main thread's side of the restore workers: a message out, an answer back.
// Invariants: every request is answered once, or all are rejected when a worker dies; a large file stays with one worker.
// A worker costs 0.2 s of processor time before its first file: the next one starts when there is work for it.

import { availableParallelism } from "node:os";
import { extname } from "node:path";
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { type VaultKeys, wipeSecrets } from "../../vault/keys/vaultKeys.ts";
import type { Handle } from "../platform/port.ts";
import type { FromWorker, SentRecord, Stop, ToWorker, WorkerNote, WorkerSetup } from "./messages.ts";
import { turnMemory } from "./turns.ts";

const threadsMax = 4;
/** Load that was asked for, of each worker, when another one starts. */
const startLoad = 16 * 1024 * 1024;

/** The worker beside this file: a source in a checkout, compiled where this is. */
const workerFile = new URL(`./worker${extname(import.meta.url)}`, import.meta.url);

export type Answer = { readonly notes: readonly WorkerNote[]; readonly right: Uint8Array | undefined };

type WithoutTicket<Message> = Message extends unknown ? Omit<Message, "ticket"> : never;
export type Request = WithoutTicket<ToWorker>;
type WriteRequest = Extract<Request, { readonly kind: "write" }>;

type Thread = {
  readonly port: MessagePort;
  readonly signal: Int32Array;
  /** Resolves when the thread is gone. */
  readonly ended: Promise<void>;
  load: number;
};
type Open = {
  readonly thread: Thread;
  readonly load: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
};

/** A worker that a large file stays with. */
export type Place = Thread;

export type RestorePoolOptions = {
  readonly keys: VaultKeys;
  readonly group: number;
  readonly target: Handle;
  /** So many, from the start on; as many as there is work for, and processors, where it is left out. */
  readonly threads?: number | undefined;
};

export class RestorePool {
  readonly #options: RestorePoolOptions;
  readonly #threadsMax: number;
  readonly #threads: Thread[] = [];
  /** All that was ever asked for. */
  #load = 0;
  readonly #open = new Map<number, Open>();
  readonly #turns = turnMemory();
  /** Which worker has files of a directory to write, and how many requests with such. */
  readonly #homes = new Map<string, { readonly thread: Thread; requests: number }>();
  #next = 1;
  #failure: unknown;
  #closed = false;

  constructor(options: RestorePoolOptions) {
    const { threads } = options;
    this.#options = options;
    this.#threadsMax = threads ?? Math.max(1, Math.min(threadsMax, availableParallelism()));
    for (let count = 0; count < (threads ?? 1); count++) this.#start();
  }

  #start(): void {
    const { keys, group, target } = this.#options;
    const signal = new SharedArrayBuffer(4);
    const secrets = keys.export();
    const setup: WorkerSetup = {
      secrets,
      group,
      targetFd: target.fd,
      targetPath: Uint8Array.from(target.path),
      signal,
      turns: this.#turns,
    };
    const channel = new MessageChannel();
    const worker = new Worker(workerFile, {
      workerData: { setup, port: channel.port2 },
      transferList: [channel.port2],
      resourceLimits: { maxOldGenerationSizeMb: 96, maxYoungGenerationSizeMb: 8 },
    });
    // The worker has a copy.
    wipeSecrets(secrets);
    channel.port1.on("message", (message: FromWorker) => this.#receive(message));
    worker.on("error", (error) => this.#fail(error));
    worker.on("exit", (code) => this.#fail(new Error(`a restore worker ended with ${code}`)));
    const ended = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
    this.#threads.push({ port: channel.port1, signal: new Int32Array(signal), ended, load: 0 });
  }

  /** The worker with the least to do. */
  place(): Place {
    let least = this.#threads[0] as Thread;
    for (const thread of this.#threads) if (thread.load < least.load) least = thread;
    return least;
  }

  /**
   * Sends files to write, to the worker that has files of the same directory to write already: two in one directory would wait for each
   * other. A worker without anything to do helps all the same.
   */
  async write(request: WriteRequest, directories: readonly [Buffer, Buffer], load: number): Promise<Answer> {
    const keys = directories.map((directory) => directory.toString("latin1"));
    let thread = this.place();
    for (const key of keys) if (thread.load > 0) thread = this.#homes.get(key)?.thread ?? thread;
    const taken = keys.map((key) => {
      let home = this.#homes.get(key);
      if (home === undefined) {
        home = { thread, requests: 0 };
        this.#homes.set(key, home);
      }
      home.requests += 1;
      return { key, home };
    });
    try {
      return await this.ask(thread, request, load);
    } finally {
      for (const { key, home } of taken) {
        home.requests -= 1;
        if (home.requests === 0) this.#homes.delete(key);
      }
    }
  }

  /** Sends a request; `load` is about how many bytes it makes the worker handle. */
  ask(thread: Place, request: Request, load: number): Promise<Answer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const ticket = this.#next++;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#open.set(ticket, { thread, load, resolve, reject });
    thread.load += load;
    thread.port.postMessage({ ...request, ticket }, transferable(request));
    Atomics.add(thread.signal, 0, 1);
    Atomics.notify(thread.signal, 0);
    this.#load += load;
    const { length } = this.#threads;
    if (length < this.#threadsMax && this.#load >= length * startLoad && !this.#closed) this.#start();
    return promise;
  }

  /**
   * Ends the workers after what they were sent. Never by terminate(): that would abort the whole process if it struck within a native
   * call.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const stop: Stop = { stop: true };
    await Promise.all(
      this.#threads.map(async (thread) => {
        thread.port.postMessage(stop);
        Atomics.add(thread.signal, 0, 1);
        Atomics.notify(thread.signal, 0);
        await thread.ended;
        thread.port.close();
      }),
    );
    this.#reject(new HoldfastError(ErrorCode.cancelled, "the restore was stopped"));
  }

  #receive(message: FromWorker): void {
    if (message.kind === "crashed") {
      this.#fail(new Error(`a restore worker crashed: ${message.message}`));
      return;
    }
    const open = this.#open.get(message.ticket);
    if (open === undefined) return;
    this.#open.delete(message.ticket);
    open.thread.load -= open.load;
    open.resolve(message);
  }

  #fail(error: unknown): void {
    if (this.#closed || this.#failure !== undefined) return;
    const message = error instanceof Error ? error.message : String(error);
    this.#failure = new HoldfastError(ErrorCode.internal, message, { cause: error });
    this.#reject(this.#failure);
  }

  #reject(error: unknown): void {
    for (const open of this.#open.values()) open.reject(error);
    this.#open.clear();
  }
}

function transferable(request: Request): ArrayBuffer[] {
  const records: readonly SentRecord[] =
    request.kind === "part"
      ? request.records
      : request.kind === "write" && request.record !== undefined
        ? [request.record]
        : [];
  return records.map(({ record }) => record.buffer as ArrayBuffer);
}
