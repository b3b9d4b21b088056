// Memory of blocks that is used again: what comes from a network all day would else keep the garbage collector busy.
//
// Invariant: what is given back was taken from here, is whole, and is used by nobody any more.

import { giveBack } from "../../vault/bytes.ts";
import { type BlockEngine, directBytes } from "./blockEngine.ts";

/** Memory comes in multiples of this, so that what held one run of blocks can hold another. */
const unitBytes = 2 ** 20;

/** What memory for so many bytes takes, but for `directBytes` of padding. */
export function memoryFor(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / unitBytes)) * unitBytes;
}

export class BlockMemory {
  readonly #addressOf: BlockEngine["addressOf"];
  /** Room to begin at an address that may be written past the page cache. */
  readonly #padding: number;
  /** What was used last comes last. */
  #spare: ArrayBuffer[] = [];
  #spareBytes = 0;
  readonly #ours = new WeakSet<ArrayBufferLike>();

  /** Without `addressOf` the memory may begin anywhere. */
  constructor(addressOf?: BlockEngine["addressOf"]) {
    this.#addressOf = addressOf;
    this.#padding = addressOf === undefined ? 0 : directBytes;
  }

  /** Memory with any bytes in it. */
  readonly take = (bytes: number): Buffer => {
    const size = memoryFor(bytes) + this.#padding;
    const at = this.#spare.findLastIndex(({ byteLength }) => byteLength === size);
    const spare = at < 0 ? undefined : this.#spare.splice(at, 1)[0];
    if (spare === undefined) {
      const made = Buffer.allocUnsafeSlow(size);
      this.#ours.add(made.buffer);
      return this.#within(made.buffer, bytes);
    }
    this.#spareBytes -= size;
    return this.#within(spare, bytes);
  };

  #within(memory: ArrayBuffer, bytes: number): Buffer {
    const over = (this.#addressOf?.(new Uint8Array(memory)) ?? 0) % directBytes;
    return Buffer.from(memory, over === 0 ? 0 : directBytes - over, bytes);
  }

  /** Memory that is free again, all that was taken with it; that of others is let go. */
  give({ buffer }: Buffer): void {
    if (!(buffer instanceof ArrayBuffer) || !this.#ours.has(buffer)) return;
    this.#spare.push(buffer);
    this.#spareBytes += buffer.byteLength;
  }

  /** Gives back to the system what is spare beyond `bytesMax`. */
  trim(bytesMax: number): void {
    while (this.#spareBytes > bytesMax) {
      const oldest = this.#spare.shift();
      if (oldest === undefined) return;
      this.#spareBytes -= oldest.byteLength;
      giveBack(new Uint8Array(oldest));
    }
  }
}
