// Where the records of packs are, in flat memory: it comes from another thread without a copy, and leaves no object for each record behind.

import { toHex } from "../../../vault/bytes.ts";
import { Width } from "../../../vault/magic.ts";
import type { TrailerRow } from "../../../vault/pack/trailer.ts";

/** Of each record: its offset in the bytes that hold it, its length, its group, and which of `writers` sent it. */
export type PackedPlaces = {
  readonly words: Uint32Array;
  /** Device ids, 16 bytes each. */
  readonly writers: readonly Uint8Array[];
};

export const placeWords = 4;

/** Places of several packs one after the other. */
export class PlacesMaker {
  readonly #words: Uint32Array;
  readonly #writers: Uint8Array[] = [];
  readonly #ordinals = new Map<string, number>();
  #filled = 0;

  /** For so many records at most. */
  constructor(recordsMax: number) {
    this.#words = new Uint32Array(recordsMax * placeWords);
  }

  /** Adds the records of a pack whose bytes begin at `start`. */
  add(rows: readonly TrailerRow[], start = 0): void {
    for (const { offset, length, group, writer } of rows) {
      this.#words.set([start + offset, length, group, this.#ordinalOf(writer)], this.#filled);
      this.#filled += placeWords;
    }
  }

  #ordinalOf(writer: Buffer): number {
    const last = this.#writers.length - 1;
    if (last >= 0 && writer.equals(this.#writers[last]!)) return last;
    const name = toHex(writer);
    const known = this.#ordinals.get(name);
    if (known !== undefined) return known;
    const ordinal = this.#writers.push(Uint8Array.from(writer.subarray(0, Width.deviceId))) - 1;
    this.#ordinals.set(name, ordinal);
    return ordinal;
  }

  finish(): PackedPlaces {
    return { words: this.#words.subarray(0, this.#filled), writers: this.#writers };
  }
}
