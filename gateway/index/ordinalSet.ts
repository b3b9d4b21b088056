// A set of record ordinals: a bit for each, in pieces of 65,536 that are made when one of them is added. 100 million ordinals take 12.5 MB.

const pieceOrdinals = 65_536;
const pieceWords = pieceOrdinals / 32;

export class OrdinalSet {
  readonly #pieces = new Map<number, Uint32Array>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Bytes of memory that the bits take. */
  get bytes(): number {
    return this.#pieces.size * pieceWords * 4;
  }

  has(ordinal: number): boolean {
    const piece = this.#pieces.get(Math.floor(ordinal / pieceOrdinals));
    if (piece === undefined) return false;
    const at = ordinal % pieceOrdinals;
    return ((piece[at >>> 5] as number) & (1 << (at & 31))) !== 0;
  }

  /** Returns whether it was not there. */
  add(ordinal: number): boolean {
    const number = Math.floor(ordinal / pieceOrdinals);
    let piece = this.#pieces.get(number);
    if (piece === undefined) {
      piece = new Uint32Array(pieceWords);
      this.#pieces.set(number, piece);
    }
    const at = ordinal % pieceOrdinals;
    const bit = 1 << (at & 31);
    if (((piece[at >>> 5] as number) & bit) !== 0) return false;
    piece[at >>> 5] = (piece[at >>> 5] as number) | bit;
    this.#size++;
    return true;
  }

  addAll(other: OrdinalSet): void {
    for (const [number, words] of other.#pieces) {
      for (const [index, word] of words.entries()) {
        for (let bits = word; bits !== 0; bits &= bits - 1) {
          this.add(number * pieceOrdinals + index * 32 + 31 - Math.clz32(bits & -bits));
        }
      }
    }
  }
}
