// Bytes to hurt a parser with: those of a sound object, changed in the ways that matter to lengths, counts and checksums.

import fc from "fast-check";
import { mutated } from "../vault/sampleVault.ts";

const extremes = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/** A number of four bytes, somewhere, is another. */
function otherNumber(bytes: Buffer, where: number, value: number): Buffer {
  const copy = Buffer.from(bytes);
  if (copy.length >= 4) copy.writeUInt32LE(value, Math.floor(where * (copy.length - 4)));
  return copy;
}

/** Any bytes, beginnings of one of `seeds`, two of them spliced, and seeds with some changes. */
export function hostileBytes(seeds: readonly Buffer[]): fc.Arbitrary<Buffer> {
  const seed = fc.constantFrom(...seeds);
  const place = fc.double({ min: 0, max: 1, noNaN: true });
  const at = (bytes: Buffer, where: number): number => Math.floor(where * bytes.length);
  return fc.oneof(
    fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
    fc
      .tuple(seed, seed, place, place)
      .map(([one, other, end, start]) =>
        Buffer.concat([one.subarray(0, at(one, end)), other.subarray(at(other, start))]),
      ),
    {
      weight: 2,
      arbitrary: fc
        .tuple(seed, place, fc.constantFrom(...extremes))
        .map(([bytes, where, value]) => otherNumber(bytes, where, value)),
    },
    { weight: 4, arbitrary: seed.chain(mutated) },
  );
}
