// Memory of blocks that is used again: what comes from a network all day would else keep the garbage collector busy.
//
// Invariant: what is given back was taken from here, is whole, and is used by nobody any more.

/** Kept for the next taker. */
const spareBytesMax = 8 * 2 ** 20;

export class BlockMemory {
  /** By their bytes. */
  readonly #spare = new Map<number, Buffer[]>();
  readonly #ours = new WeakSet<Buffer>();
  #spareBytes = 0;

  /** Memory with any bytes in it. */
  readonly take = (bytes: number): Buffer => {
    const spare = this.#spare.get(bytes)?.pop();
    if (spare !== undefined) {
      this.#spareBytes -= bytes;
      return spare;
    }
    const made = Buffer.allocUnsafeSlow(bytes);
    this.#ours.add(made);
    return made;
  };

  /** Memory that is free again; that of others is let go. */
  give(memory: Buffer): void {
    if (!this.#ours.has(memory) || this.#spareBytes + memory.length > spareBytesMax) return;
    this.#spareBytes += memory.length;
    const same = this.#spare.get(memory.length);
    if (same === undefined) this.#spare.set(memory.length, [memory]);
    else same.push(memory);
  }
}
