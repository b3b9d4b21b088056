// The stored form of a login key: bcrypt(SHA-512(L)), fed the 64 raw bytes.
//
// bcrypt reads 72 bytes at most, so nothing is cut off. It runs in a worker thread, because a hash takes some 100 ms of
// processor time that uploads would otherwise wait for; one at a time, and who is next says the queue, which is bounded.
// After a wrong password on a busy machine there is a rest, so that guessing takes a fifth of a processor at most from backups there. Known sources do
// not wait for it.

import { createHash, randomBytes } from "node:crypto";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { HashQueue, type Source } from "./hashQueue.ts";

export type BcryptRequest = { readonly id: number; readonly password: Uint8Array } & (
  | { readonly hash: string }
  | { readonly salt: Uint8Array; readonly cost: number }
);
type HashedAnswer = {
  readonly id: number;
  readonly result: string | boolean;
  readonly tookMs: number;
  /** It had to wait for a processor. */
  readonly shared: boolean;
};
export type BcryptAnswer = HashedAnswer | { readonly id: number; readonly error: string };

const costDefault = 10;
/** The worker goes when it had nothing to do for so long. */
const idleMs = 10_000;
/** How long a rest is, in times of the hash before it. */
const restFactor = 4;
/** What an administrator asks for. */
const ownSource: Source = { name: "administrator", known: true };

type Request =
  | { readonly password: Uint8Array; readonly hash: string }
  | { readonly password: Uint8Array; readonly salt: Uint8Array; readonly cost: number };

type Job = {
  readonly request: Request;
  resolve(result: string | boolean): void;
  reject(error: Error): void;
};

export class PasswordHasher {
  readonly #cost: number;
  readonly #hadToShare: (answer: HashedAnswer) => boolean;
  readonly #queue = new HashQueue<Job>();
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #running: Job | undefined;
  #rest: NodeJS.Timeout | undefined;
  #nextId = 0;

  /** `hadToShare` says whether a hash found the processors busy; it is for tests. */
  constructor(cost = costDefault, hadToShare: (answer: HashedAnswer) => boolean = ({ shared }) => shared) {
    this.#cost = cost;
    this.#hadToShare = hadToShare;
  }

  /** The stored form of L. @throws HoldfastError busy */
  async hash(l: Uint8Array, source: Source = ownSource): Promise<string> {
    const request = { password: prehash(l), salt: randomBytes(16), cost: this.#cost };
    return (await this.#ask(request, source)) as string;
  }

  /** Whether L fits a stored form. @throws HoldfastError busy when too many wait already */
  async verify(l: Uint8Array, hash: string, source: Source = ownSource): Promise<boolean> {
    return (await this.#ask({ password: prehash(l), hash }, source)) as boolean;
  }

  #ask(request: Request, source: Source): Promise<string | boolean> {
    return new Promise((resolve, reject) => {
      const out = this.#queue.push({ request, resolve, reject }, source);
      out?.reject(new HoldfastError(ErrorCode.busy, "too many logins at a time"));
      this.#next();
    });
  }

  #next(): void {
    if (this.#running !== undefined) return;
    clearTimeout(this.#idle);
    this.#running = this.#queue.shift(this.#rest !== undefined);
    if (this.#running === undefined) {
      // In a rest somebody may wait, however long it is: then it is not over when the worker has been idle for long.
      if (this.#worker !== undefined && this.#rest === undefined)
        this.#idle = setTimeout(() => void this.close(), idleMs).unref();
      return;
    }
    this.#worker ??= this.#start();
    this.#worker.postMessage({ id: this.#nextId++, ...this.#running.request });
  }

  #ended(end: (job: Job) => void): void {
    const job = this.#running;
    this.#running = undefined;
    if (job !== undefined) end(job);
    this.#next();
  }

  /** Lets the others wait for so long. Those who wait keep the process alive, not this. */
  #restFor(ms: number): void {
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => {
      this.#rest = undefined;
      this.#next();
    }, ms).unref();
  }

  #start(): Worker {
    const worker = new Worker(new URL(`./bcryptWorker${extname(import.meta.url)}`, import.meta.url));
    worker.unref();
    worker.on("message", (answer: BcryptAnswer) => {
      const failed = "error" in answer;
      if (!failed && answer.result === false && this.#hadToShare(answer))
        this.#restFor(answer.tookMs * restFactor);
      this.#ended(({ resolve, reject }) => {
        if (failed) reject(new Error(answer.error));
        else resolve(answer.result);
      });
    });
    worker.on("error", (error) => {
      this.#worker = undefined;
      this.#ended(({ reject }) => reject(error as Error));
    });
    return worker;
  }

  /** Ends the worker; the next call starts another. */
  async close(): Promise<void> {
    clearTimeout(this.#idle);
    clearTimeout(this.#rest);
    this.#rest = undefined;
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }
}

function prehash(l: Uint8Array): Buffer {
  return createHash("sha512").update(l).digest();
}
