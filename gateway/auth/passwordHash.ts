// The stored form of a login key: bcrypt(SHA-512(L)), fed the 64 raw bytes.
//
// bcrypt reads 72 bytes at most, so nothing is cut off. It runs in a worker thread, because a hash takes some 100 ms of
// processor time that uploads would otherwise wait for; one at a time, and who is next says the queue, which is bounded.

import { createHash, randomBytes } from "node:crypto";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { HashQueue, type Source } from "./hashQueue.ts";

export type BcryptRequest = { readonly id: number; readonly password: Uint8Array } & (
  | { readonly hash: string }
  | { readonly salt: Uint8Array; readonly cost: number }
);
export type BcryptAnswer =
  | { readonly id: number; readonly result: string | boolean }
  | { readonly id: number; readonly error: string };

const costDefault = 10;
/** The worker goes when it had nothing to do for so long. */
const idleMs = 10_000;
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
  readonly #queue = new HashQueue<Job>();
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #running: Job | undefined;
  #nextId = 0;

  constructor(cost = costDefault) {
    this.#cost = cost;
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
    this.#running = this.#queue.shift();
    if (this.#running === undefined) {
      if (this.#worker !== undefined) this.#idle = setTimeout(() => void this.close(), idleMs).unref();
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

  #start(): Worker {
    const worker = new Worker(new URL(`./bcryptWorker${extname(import.meta.url)}`, import.meta.url));
    worker.unref();
    worker.on("message", (answer: BcryptAnswer) =>
      this.#ended(({ resolve, reject }) => {
        if ("error" in answer) reject(new Error(answer.error));
        else resolve(answer.result);
      }),
    );
    worker.on("error", (error) => {
      this.#worker = undefined;
      this.#ended(({ reject }) => reject(error as Error));
    });
    return worker;
  }

  /** Ends the worker; the next call starts another. */
  async close(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }
}

function prehash(l: Uint8Array): Buffer {
  return createHash("sha512").update(l).digest();
}
