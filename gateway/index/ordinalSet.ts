// A set of record ordinals: a bit for each, in pieces of 65,536 that are made when one of them is added. 100 million ordinals take 12.5 MB.

export const pieceOrdinals = 65_536;
export const pieceWords = pieceOrdinals / 32;

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

  /** Returns whether it was there. */
  delete(ordinal: number): boolean {
    if (!this.has(ordinal)) return false;
    const piece = this.#pieces.get(Math.floor(ordinal / pieceOrdinals)) as Uint32Array;
    const at = ordinal % pieceOrdinals;
    piece[at >>> 5] = (piece[at >>> 5] as number) & ~(1 << (at & 31));
    this.#size--;
    return true;
  }

  /** The 65,536 bits from `number` times as many on; undefined where none of them is set. To be read only. */
  piece(number: number): Uint32Array | undefined {
    return this.#pieces.get(number);
  }

  /** Takes over a piece that this set does not have. */
  setPiece(number: number, words: Uint32Array): void {
    if (words.length !== pieceWords || this.#pieces.has(number)) throw new Error("OrdinalSet: no such piece");
    this.#pieces.set(number, words);
    for (const word of words) this.#size += bitCount(word);
  }

  /** All of them, piece by piece. */
  *ordinals(): Generator<number> {
    for (const [number, words] of this.#pieces) {
      for (const [index, word] of words.entries()) {
        for (let bits = word; bits !== 0; bits &= bits - 1) {
          yield number * pieceOrdinals + index * 32 + 31 - Math.clz32(bits & -bits);
        }
      }
    }
  }

  addAll(other: OrdinalSet): void {
    for (const ordinal of other.ordinals()) this.add(ordinal);
  }
}

function bitCount(word: number): number {
  let bits = word - ((word >>> 1) & 0x5555_5555);
  bits = (bits & 0x3333_3333) + ((bits >>> 2) & 0x3333_3333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}
