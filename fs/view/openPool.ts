// Worker threads that verify and open records, so that large ones keep no other request waiting and all cores share the work.
//
// Invariants: every request is answered once, or rejected when its worker dies; a worker gets a vault's keys before the first
// record of it, again when they have a newer epoch, and wipes them when `forget` was called, after which nothing of that vault is opened.

import { availableParallelism } from "node:os";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { asBuffer } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { type VaultKeys, wipeSecrets } from "../../vault/keys/vaultKeys.ts";
import type { RecordType } from "../../vault/magic.ts";
import type { OpenEngines } from "../../vault/record.ts";
import type { FromOpener, Opened, OpenRequest, ThreadEngines, ToOpener } from "./openMessages.ts";
import type { OpenedRecord } from "./plaintextCache.ts";

const threadsMax = 4;
/**
 * Records that are there in one turn of the event loop go to a thread together, up to so many bytes but two at least, and come back together: a message
 * costs as much as opening a small record, and large ones are proven in pairs.
 */
const messageBytes = 512 * 1024;

/** The worker beside this file, which needs nothing but Node: a source in a checkout, compiled where this is. */
const nodeWorker = new URL(`./openWorker${extname(import.meta.url)}`, import.meta.url);

type Waiting = {
  readonly thread: Thread;
  readonly bytes: number;
  readonly resolve: (record: OpenedRecord) => void;
  readonly reject: (error: unknown) => void;
};
type Thread = {
  readonly worker: Worker;
  readonly ended: Promise<void>;
  /** Keys that it was given, by number: their newest epoch then. */
  readonly keyrings: Map<number, number>;
  /** It was started, and waits for records. */
  ready: boolean;
  /** Bytes of the records that it has to open. */
  load: number;
  /** Of those, what is sent when this turn is over. */
  unsent: OpenRequest[];
  unsentBytes: number;
};

export type OpenPoolOptions = {
  readonly threadCount?: number;
  /** A module that calls serveOpening. */
  readonly worker?: URL;
  /** Makes what the calling thread opens with. */
  readonly engines?: () => ThreadEngines;
};

export type RecordToSend = {
  readonly keys: VaultKeys;
  readonly group: number;
  readonly id: Uint8Array;
  readonly type: RecordType;
  /** Memory of its own, which is gone afterwards. */
  readonly record: Buffer;
};

export class OpenPool {
  readonly #threadCount: number;
  readonly #worker: URL;
  readonly #makeEngines: () => ThreadEngines | undefined;
  #engines: ThreadEngines | undefined;
  readonly #threads: Thread[] = [];
  readonly #waiting = new Map<number, Waiting>();
  readonly #keyrings = new Map<VaultKeys, number>();
  #lastTicket = 0;
  #lastKeyring = 0;
  #closed = false;
  #turnTaken = false;

  /** Threads start with the first record that they get. */
  constructor({ threadCount, worker, engines }: OpenPoolOptions = {}) {
    this.#threadCount = threadCount ?? Math.min(threadsMax, availableParallelism());
    this.#worker = worker ?? nodeWorker;
    this.#makeEngines = engines ?? (() => undefined);
  }

  /**
   * Whether the calling thread should open a record itself. For one that nobody else waits beside (`lone`): if no thread has anything to
   * open, and it did not do so in this turn of the event loop already, for what comes a second time was waiting meanwhile, so that there
   * are several readers. For others: until a thread has started, which takes as long as opening a hundred.
   */
  takeTurn(lone: boolean): boolean {
    if (lone && !this.#turnTaken && this.#waiting.size === 0) {
      this.#turnTaken = true;
      setImmediate(() => {
        this.#turnTaken = false;
      });
      return true;
    }
    if (this.#closed) return false;
    if (this.#threads.length === 0) this.#start();
    return !this.#threads.some(({ ready }) => ready);
  }

  /** What the calling thread itself opens with, until a vault is locked. Node's own libraries where there is none. */
  get engines(): OpenEngines | undefined {
    this.#engines ??= this.#makeEngines();
    return this.#engines;
  }

  #forgetOpened(): void {
    this.#engines?.close();
    this.#engines = undefined;
  }

  /**
   * The opened record. A thread that died is replaced for the next.
   * @throws HoldfastError chunk-damaged, key-wrong, vault-locked, internal
   */
  open({ keys, group, id, type, record }: RecordToSend): Promise<OpenedRecord> {
    if (this.#closed) return Promise.reject(new HoldfastError(ErrorCode.cancelled, "the view was closed"));
    const { promise, resolve, reject } = Promise.withResolvers<OpenedRecord>();
    try {
      const thread = this.#leastLoaded();
      const keyring = this.#keyring(keys, thread);
      const ticket = ++this.#lastTicket;
      this.#waiting.set(ticket, { thread, bytes: record.length, resolve, reject });
      thread.load += record.length;
      if (thread.unsent.length === 0) process.nextTick(() => this.#send(thread));
      thread.unsent.push({ ticket, keyring, group, type, id: Uint8Array.from(id), record });
      thread.unsentBytes += record.length;
      if (thread.unsentBytes >= messageBytes && thread.unsent.length > 1) this.#send(thread);
    } catch (error) {
      reject(error);
    }
    return promise;
  }

  /** Sends what waits for a thread. */
  #send(thread: Thread): void {
    const { worker, unsent: requests } = thread;
    if (requests.length === 0) return;
    thread.unsent = [];
    thread.unsentBytes = 0;
    const memory = requests.map(({ record }) => record.buffer as ArrayBuffer);
    try {
      worker.postMessage({ kind: "open", requests } satisfies ToOpener, memory);
    } catch (error) {
      for (const { ticket } of requests) this.#take(ticket)?.reject(error);
    }
  }

  /** The request of this ticket, which is answered now. */
  #take(ticket: number): Waiting | undefined {
    const waiting = this.#waiting.get(ticket);
    if (waiting === undefined) return undefined;
    this.#waiting.delete(ticket);
    waiting.thread.load -= waiting.bytes;
    return waiting;
  }

  /** Makes every thread wipe the keys for which `held` says no. */
  forgetUnless(held: (keys: VaultKeys) => boolean): void {
    for (const [keys, keyring] of this.#keyrings) {
      if (held(keys)) continue;
      this.#keyrings.delete(keys);
      this.#forgetOpened();
      for (const thread of this.#threads) {
        if (!thread.keyrings.delete(keyring)) continue;
        this.#send(thread);
        thread.worker.postMessage({ kind: "forget", keyring } satisfies ToOpener);
      }
    }
  }

  /** Makes every thread give back memory that it does not use. */
  rest(): void {
    for (const { worker } of this.#threads) worker.postMessage({ kind: "rest" } satisfies ToOpener);
  }

  /** Ends the threads after what they were sent. Never by terminate(), which may strike within a native call. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#forgetOpened();
    const threads = this.#threads.splice(0);
    for (const thread of threads) {
      const { worker } = thread;
      this.#send(thread);
      worker.ref();
      worker.postMessage({ kind: "stop" } satisfies ToOpener);
    }
    await Promise.all(threads.map(({ ended }) => ended));
  }

  #leastLoaded(): Thread {
    const idle = this.#threads.find(({ load }) => load === 0);
    if (idle !== undefined) return idle;
    if (this.#threads.length < this.#threadCount) return this.#start();
    return this.#threads.reduce((least, thread) => (thread.load < least.load ? thread : least));
  }

  #start(): Thread {
    const worker = new Worker(this.#worker, {
      resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 },
    });
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const thread: Thread = {
      worker,
      ended,
      keyrings: new Map(),
      ready: false,
      load: 0,
      unsent: [],
      unsentBytes: 0,
    };
    worker.on("message", (message: FromOpener) => {
      if (message.kind === "ready") thread.ready = true;
      else for (const answer of message.answers) this.#receive(answer);
    });
    worker.on("error", (error) => this.#lost(thread, error));
    worker.on("exit", (code) => {
      this.#lost(thread, new Error(`an opening thread ended with ${code}`));
      end();
    });
    // Mounts keep the process alive, not their threads.
    worker.unref();
    this.#threads.push(thread);
    return thread;
  }

  /** The number of these keys, which the thread has afterwards. @throws HoldfastError vault-locked */
  #keyring(keys: VaultKeys, thread: Thread): number {
    let keyring = this.#keyrings.get(keys);
    if (keyring === undefined) {
      keyring = ++this.#lastKeyring;
      this.#keyrings.set(keys, keyring);
    }
    if (thread.keyrings.get(keyring) !== keys.currentEpoch) {
      const secrets = keys.export();
      thread.worker.postMessage({ kind: "keys", keyring, secrets } satisfies ToOpener);
      wipeSecrets(secrets);
      thread.keyrings.set(keyring, secrets.currentEpoch);
    }
    return keyring;
  }

  #receive(message: Opened): void {
    const waiting = this.#take(message.ticket);
    if (waiting === undefined) return;
    if (message.kind === "opened") {
      waiting.resolve({ plaintext: asBuffer(message.plaintext), refs: asBuffer(message.refs) });
      return;
    }
    const { code, message: text, detail } = message;
    waiting.reject(new HoldfastError(code, text, { detail }));
  }

  #lost(thread: Thread, cause: Error): void {
    const at = this.#threads.indexOf(thread);
    if (at >= 0) this.#threads.splice(at, 1);
    for (const [ticket, waiting] of this.#waiting) {
      if (waiting.thread !== thread) continue;
      this.#waiting.delete(ticket);
      waiting.reject(new HoldfastError(ErrorCode.internal, cause.message, { cause }));
    }
  }
}
