import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { IdHash } from "../../../gateway/index/idHash.ts";

/** HalfSipHash-c-d with 32-bit output, word by word as its reference code has it. */
function halfSipHash(c: number, d: number, key: Uint8Array, input: Uint8Array): number {
  const keyView = new DataView(key.buffer, key.byteOffset, 8);
  const k0 = keyView.getUint32(0, true);
  const k1 = keyView.getUint32(4, true);
  const v = Uint32Array.of(k0, k1, 0x6c796765 ^ k0, 0x74656462 ^ k1) as Uint32Array & { [n: number]: number };
  const get = (n: number) => v[n] as number;
  const rotate = (n: number, by: number) => ((get(n) << by) | (get(n) >>> (32 - by))) >>> 0;
  const round = () => {
    v[0] = get(0) + get(1);
    v[1] = rotate(1, 5) ^ get(0);
    v[0] = rotate(0, 16);
    v[2] = get(2) + get(3);
    v[3] = rotate(3, 8) ^ get(2);
    v[0] = get(0) + get(3);
    v[3] = rotate(3, 7) ^ get(0);
    v[2] = get(2) + get(1);
    v[1] = rotate(1, 13) ^ get(2);
    v[2] = rotate(2, 16);
  };
  const padded = new Uint8Array((Math.floor(input.length / 4) + 1) * 4);
  padded.set(input);
  padded[padded.length - 1] = input.length;
  const words = new DataView(padded.buffer);
  for (let at = 0; at < padded.length; at += 4) {
    v[3] = get(3) ^ words.getUint32(at, true);
    for (let n = 0; n < c; n++) round();
    v[0] = get(0) ^ words.getUint32(at, true);
  }
  v[2] = get(2) ^ 0xff;
  for (let n = 0; n < d; n++) round();
  return (get(1) ^ get(3)) >>> 0;
}

describe("IdHash", () => {
  it("the reference in this file gives HalfSipHash-2-4's published vectors", () => {
    const key = Uint8Array.from({ length: 8 }, (_, n) => n);
    const of = (length: number) =>
      halfSipHash(
        2,
        4,
        key,
        Uint8Array.from({ length }, (_, n) => n),
      );
    // vectors_hsip32 of the reference implementation, bytes read as little-endian words.
    expect([of(0), of(1), of(2)]).toEqual([0x5b9f35a9, 0xb85a4727, 0x03a662fa]);
  });

  it("is HalfSipHash-1-3 of the 16 bytes", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 8, maxLength: 8 }),
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        (key, input) => {
          const words = new Uint32Array(input.slice().buffer);
          expect(new IdHash(key).ofWords(words, 0)).toBe(halfSipHash(1, 3, key, input));
        },
      ),
    );
  });
});
