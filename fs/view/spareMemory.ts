// Memory that is used again: fresh megabytes cost more than filling them, as the system clears every page at its first use.
//
// Invariants: nothing else refers to what is here (whoever gives memory loses it: older views of it are empty); at most
// `bytesMax` are kept.

/** Below this memory is not worth keeping. */
const keptBytesMin = 32 * 1024;

export class SpareMemory {
  readonly bytesMax: number;
  #spare: ArrayBuffer[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Kept now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** At least `bytes` of memory of which these are the first, with anything in them. */
  take(bytes: number, shareMin = 0.4): Buffer {
    if (bytes < keptBytesMin) return Buffer.allocUnsafeSlow(bytes);
    let best: ArrayBuffer | undefined;
    for (const each of this.#spare) {
      if (each.byteLength < bytes || each.byteLength * shareMin > bytes) continue;
      if (best === undefined || each.byteLength < best.byteLength) best = each;
    }
    if (best === undefined) return Buffer.from(new ArrayBuffer(classOf(bytes)), 0, bytes);
    const found = best;
    this.#spare = this.#spare.filter((each) => each !== found);
    this.#bytes -= found.byteLength;
    return Buffer.from(found, 0, bytes);
  }

  /** Takes the memory behind bytes, all of it, unless small buffers share it. The bytes are gone afterwards. */
  give({ buffer }: Uint8Array): void {
    if (!(buffer instanceof ArrayBuffer) || buffer.byteLength <= Buffer.poolSize) return;
    if (buffer.byteLength < keptBytesMin || buffer.byteLength > this.bytesMax) {
      buffer.transfer(0);
      return;
    }
    const own = buffer.transfer();
    this.#spare.push(own);
    this.#bytes += own.byteLength;
    while (this.#bytes > this.bytesMax) this.#drop();
  }

  /** Gives everything back to the system. */
  clear(): void {
    while (this.#spare.length > 0) this.#drop();
  }

  #drop(): void {
    const oldest = this.#spare.shift();
    if (oldest === undefined) return;
    this.#bytes -= oldest.byteLength;
    oldest.transfer(0);
  }
}

/** What a record is longer than its content at most, where that does not shrink: header, length and tag, and the frame before them. */
const sealBytesMax = 512;

/**
 * Memory comes in powers of two, so that what is dropped fits what comes next, with room for a seal: a record of 128 KiB that does not
 * shrink must not take the next power.
 */
function classOf(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, bytes - sealBytesMax))) + sealBytesMax;
}
