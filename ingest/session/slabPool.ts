// Memory for upload bodies: a bounded number of bytes for all connections together. Who finds none waits its turn.
//
// Invariants
// - bytes given out <= bytesMax; requests are served in the order in which they came.
// - Who holds a slab that he was told of by `hold` for a minute while others wait is asked to give way: a body that drips would keep its memory
//   for as long as a request may last, and a dozen of them all of it.
// - Slabs of the usual size are kept for reuse, for a while: fresh ones cost page faults and bring garbage collections on.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

type Waiter = { readonly bytes: number; resolve(slab: Buffer): void; reject(error: Error): void };

const idleMs = 5000;
/** While somebody waits, the time that counts against holders goes on in steps of this. */
const stepMs = 5000;
const stepsHeldMax = 12;

type Holder = { readonly since: number; readonly giveWay: () => void };

export class SlabPool {
  readonly #bytesMax: number;
  readonly #usual: number;
  readonly #idle: Buffer[] = [];
  readonly #waiters: Waiter[] = [];
  /** Those that may be asked to give way, who has held longest first. */
  readonly #holders = new Map<Buffer, Holder>();
  readonly #stepMs: number;
  #steps = 0;
  #pressing: NodeJS.Timeout | undefined;
  #bytesOut = 0;
  /** Fewest idle slabs since the last trim: the bottom ones of the stack, which nobody needed. */
  #idleMin = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `usual`: the slab size worth keeping. `stepMs`: for tests. */
  constructor(options: { bytesMax: number; usual: number; stepMs?: number }) {
    if (options.usual > options.bytesMax) throw new Error("SlabPool: a slab is larger than all memory");
    this.#bytesMax = options.bytesMax;
    this.#usual = options.usual;
    this.#stepMs = options.stepMs ?? stepMs;
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
      this.#pressing ??= this.#nextStep();
    });
  }

  /** From now on a slab that was acquired counts as held; again when it moved on. `giveWay` is called once at most: release it soon then. */
  hold(slab: Buffer, giveWay: () => void): void {
    this.#holders.delete(slab);
    this.#holders.set(slab, { since: this.#steps, giveWay });
  }

  #nextStep(): NodeJS.Timeout {
    return setTimeout(() => this.#press(), this.#stepMs).unref();
  }

  #press(): void {
    this.#pressing = undefined;
    if (this.#waiters.length === 0) return;
    this.#steps++;
    this.#pressing = this.#nextStep();
    for (const [slab, { since, giveWay }] of this.#holders) {
      if (this.#steps - since < stepsHeldMax) return;
      this.#holders.delete(slab);
      giveWay();
    }
  }

  /** As `acquire`, or undefined where it would have to wait. */
  tryAcquire(bytes: number): Buffer | undefined {
    return this.#waiters.length === 0 && this.#bytesOut + bytes <= this.#bytesMax
      ? this.#give(bytes)
      : undefined;
  }

  /** Gives a slab back; it must not be used afterwards. */
  release(slab: Buffer): void {
    this.#holders.delete(slab);
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
