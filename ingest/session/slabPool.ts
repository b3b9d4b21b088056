// Memory for upload bodies: a bounded number of bytes for all connections together. Who finds none waits its turn.
//
// Invariants
// - bytes given out <= bytesMax; requests are served in the order in which they came.
// - Slabs of the usual size are kept for reuse, for a while: fresh ones cost page faults and bring garbage collections on.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

type Waiter = { readonly bytes: number; resolve(slab: Buffer): void; reject(error: Error): void };

const idleMs = 5000;

export class SlabPool {
  readonly #bytesMax: number;
  readonly #usual: number;
  readonly #idle: Buffer[] = [];
  readonly #waiters: Waiter[] = [];
  #bytesOut = 0;
  /** Fewest idle slabs since the last trim: the bottom ones of the stack, which nobody needed. */
  #idleMin = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `usual`: the slab size worth keeping. */
  constructor(options: { bytesMax: number; usual: number }) {
    if (options.usual > options.bytesMax) throw new Error("SlabPool: a slab is larger than all memory");
    this.#bytesMax = options.bytesMax;
    this.#usual = options.usual;
  }

  /** Bytes given out now. */
  get bytesOut(): number {
    return this.#bytesOut;
  }

  /** The usual size; no slab is larger. */
  get slabBytes(): number {
    return this.#usual;
  }

  /**
   * A buffer of `bytes` (at most slabBytes) with undefined content.
   * @throws HoldfastError cancelled when `signal` ends the wait
   */
  acquire(bytes: number, signal?: AbortSignal): Promise<Buffer> {
    if (bytes > this.#usual) throw new Error(`SlabPool: a slab of ${bytes} bytes`);
    if (signal?.aborted) return Promise.reject(cancelled());
    if (this.#waiters.length === 0 && this.#bytesOut + bytes <= this.#bytesMax) {
      return Promise.resolve(this.#give(bytes));
    }
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        const at = this.#waiters.indexOf(waiter);
        if (at >= 0) this.#waiters.splice(at, 1);
        reject(cancelled());
        this.#serve();
      };
      const waiter: Waiter = {
        bytes,
        resolve: (slab) => {
          signal?.removeEventListener("abort", abort);
          resolve(slab);
        },
        reject,
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#waiters.push(waiter);
    });
  }

  /** As `acquire`, or undefined where it would have to wait. */
  tryAcquire(bytes: number): Buffer | undefined {
    return this.#waiters.length === 0 && this.#bytesOut + bytes <= this.#bytesMax
      ? this.#give(bytes)
      : undefined;
  }

  /** Gives a slab back; it must not be used afterwards. */
  release(slab: Buffer): void {
    this.#bytesOut -= slab.length;
    if (slab.length === this.#usual) this.#idle.push(slab);
    this.#timer ??= setTimeout(() => this.#trim(), idleMs).unref();
    this.#serve();
  }

  /** Lets go of the slabs that were not used since the last time. */
  #trim(): void {
    this.#idle.splice(0, this.#idleMin);
    this.#idleMin = this.#idle.length;
    this.#timer = this.#idleMin === 0 ? undefined : setTimeout(() => this.#trim(), idleMs).unref();
  }

  #serve(): void {
    for (let next = this.#waiters[0]; next !== undefined; next = this.#waiters[0]) {
      if (this.#bytesOut + next.bytes > this.#bytesMax) return;
      this.#waiters.shift();
      next.resolve(this.#give(next.bytes));
    }
  }

  #give(bytes: number): Buffer {
    this.#bytesOut += bytes;
    const idle = bytes === this.#usual ? this.#idle.pop() : undefined;
    this.#idleMin = Math.min(this.#idleMin, this.#idle.length);
    return idle ?? Buffer.allocUnsafeSlow(bytes);
  }
}

function cancelled(): HoldfastError {
  return new HoldfastError(ErrorCode.cancelled, "the upload ended while it waited for memory");
}
