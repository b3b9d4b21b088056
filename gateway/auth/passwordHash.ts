// The stored form of a login key: bcrypt(SHA-512(L)), fed the 64 raw bytes.
//
// bcrypt reads 72 bytes at most, so nothing is cut off. It runs in a worker thread, because a hash takes some 100 ms of
// processor time that uploads would otherwise wait for; the queue is bounded, so that strangers cannot fill memory.

import { createHash, randomBytes } from "node:crypto";
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

export type BcryptRequest = { readonly id: number; readonly password: Uint8Array } & (
  | { readonly hash: string }
  | { readonly salt: Uint8Array; readonly cost: number }
);
export type BcryptAnswer =
  | { readonly id: number; readonly result: string | boolean }
  | { readonly id: number; readonly error: string };

const costDefault = 10;
const queueMax = 64;
/** The worker goes when it had nothing to do for so long. */
const idleMs = 10_000;

export class PasswordHasher {
  readonly #cost: number;
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #nextId = 0;
  readonly #waiting = new Map<
    number,
    { resolve(result: string | boolean): void; reject(error: Error): void }
  >();

  constructor(cost = costDefault) {
    this.#cost = cost;
  }

  /** The stored form of L. */
  async hash(l: Uint8Array): Promise<string> {
    return (await this.#ask({ password: prehash(l), salt: randomBytes(16), cost: this.#cost })) as string;
  }

  /** Whether L fits a stored form. @throws HoldfastError busy when too many wait already */
  async verify(l: Uint8Array, hash: string): Promise<boolean> {
    return (await this.#ask({ password: prehash(l), hash })) as boolean;
  }

  #ask(
    request:
      | { password: Uint8Array; hash: string }
      | { password: Uint8Array; salt: Uint8Array; cost: number },
  ): Promise<string | boolean> {
    if (this.#waiting.size >= queueMax) {
      return Promise.reject(new HoldfastError(ErrorCode.busy, "too many logins at a time"));
    }
    clearTimeout(this.#idle);
    this.#worker ??= this.#start();
    const id = this.#nextId++;
    const worker = this.#worker;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      worker.postMessage({ id, ...request });
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL(`./bcryptWorker${extname(import.meta.url)}`, import.meta.url));
    worker.unref();
    worker.on("message", (answer: BcryptAnswer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if ("error" in answer) waiting?.reject(new Error(answer.error));
      else waiting?.resolve(answer.result);
      if (this.#waiting.size === 0) this.#idle = setTimeout(() => void this.close(), idleMs).unref();
    });
    worker.on("error", (error) => {
      this.#worker = undefined;
      const waiting = [...this.#waiting.values()];
      this.#waiting.clear();
      for (const each of waiting) each.reject(error as Error);
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
