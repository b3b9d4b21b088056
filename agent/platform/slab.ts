// Small pieces of memory, cut from larger ones: making a piece by itself costs more than what is written to it.

/** Who keeps one piece keeps so much: in a walk of 4,096 levels, with one of each level, 32 MiB. */
const slabBytes = 8 * 1024;

export class Slab {
  #memory = Buffer.alloc(0);
  #taken = 0;

  /** Memory with any bytes in it, which begins at a multiple of 8 and is nobody else's. It goes when none of its slab is kept any more. */
  take(bytes: number): Buffer {
    if (this.#taken + bytes > this.#memory.length) {
      this.#memory = Buffer.allocUnsafeSlow(Math.max(slabBytes, bytes));
      this.#taken = 0;
    }
    const piece = this.#memory.subarray(this.#taken, this.#taken + bytes);
    this.#taken += Math.ceil(bytes / 8) * 8;
    return piece;
  }
}
