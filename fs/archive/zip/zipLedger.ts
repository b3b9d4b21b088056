// What the list at the end of a ZIP archive needs to know of each entry that its tree does not tell: 13 bytes. The rest (name, times,
// owner) is read from the tree once more, so that an archive of a million files needs no memory for a million names.

import type { Written } from "./zipHeaders.ts";

export class ZipLedger {
  #crcs = new Uint32Array(1024);
  #compressedBytes = new Float64Array(1024);
  #deflated = new Uint8Array(1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add({ crc, compressedBytes, deflated }: Written): void {
    if (this.#length === this.#crcs.length) this.#grow();
    this.#crcs[this.#length] = crc;
    this.#compressedBytes[this.#length] = compressedBytes;
    this.#deflated[this.#length] = deflated ? 1 : 0;
    this.#length += 1;
  }

  at(index: number): Written | undefined {
    if (index >= this.#length) return undefined;
    return {
      crc: this.#crcs[index] as number,
      compressedBytes: this.#compressedBytes[index] as number,
      deflated: this.#deflated[index] === 1,
    };
  }

  #grow(): void {
    const grown = <T extends Uint8Array | Uint32Array | Float64Array>(old: T, now: T): T => {
      now.set(old);
      return now;
    };
    const length = this.#length * 2;
    this.#crcs = grown(this.#crcs, new Uint32Array(length));
    this.#compressedBytes = grown(this.#compressedBytes, new Float64Array(length));
    this.#deflated = grown(this.#deflated, new Uint8Array(length));
  }
}
