// Places a chunk id in the index: HalfSipHash-1-3 of the id's first 16 bytes, under a random key of the vault's
// index. Ids are uniform when agents are honest, but the keyless gateway takes them as they are claimed; without a
// secret key a hostile device could send ids that all fall into one bucket. HalfSipHash because it is a keyed PRF
// on 32-bit words, which is what JavaScript is fast at (SipHash's 64-bit words are not).

export class IdHash {
  readonly #k0: number;
  readonly #k1: number;

  /** `key` is 8 bytes. */
  constructor(key: Uint8Array) {
    if (key.length !== 8) throw new Error("IdHash: the key is 8 bytes");
    const view = new DataView(key.buffer, key.byteOffset, 8);
    this.#k0 = view.getInt32(0, true);
    this.#k1 = view.getInt32(4, true);
  }

  /** Hash of the four words at `at`. */
  ofWords(words: Uint32Array, at: number): number {
    return this.of(
      words[at] as number,
      words[at + 1] as number,
      words[at + 2] as number,
      words[at + 3] as number,
    );
  }

  /** Hash of the 16 bytes in four little-endian words; an unsigned 32-bit number. */
  of(m0: number, m1: number, m2: number, m3: number): number {
    let v0 = this.#k0;
    let v1 = this.#k1;
    let v2 = 0x6c796765 ^ this.#k0;
    let v3 = 0x74656462 ^ this.#k1;
    // Four message words, the length word, then three finalization rounds (the first after v2 ^= 0xff).
    for (let round = 0; round < 8; round++) {
      const word =
        round === 0
          ? m0
          : round === 1
            ? m1
            : round === 2
              ? m2
              : round === 3
                ? m3
                : round === 4
                  ? 16 << 24
                  : 0;
      v3 ^= word;
      if (round === 5) v2 ^= 0xff;
      v0 = (v0 + v1) | 0;
      v1 = (v1 << 5) | (v1 >>> 27);
      v1 ^= v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = (v3 << 8) | (v3 >>> 24);
      v3 ^= v2;
      v0 = (v0 + v3) | 0;
      v3 = (v3 << 7) | (v3 >>> 25);
      v3 ^= v0;
      v2 = (v2 + v1) | 0;
      v1 = (v1 << 13) | (v1 >>> 19);
      v1 ^= v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
    }
    return (v1 ^ v3) >>> 0;
  }
}
