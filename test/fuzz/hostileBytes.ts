// Bytes to hurt a parser with: those of a sound object, changed in the ways that matter to lengths, counts and checksums.

import fc from "fast-check";

const extremes = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

type Edit =
  | { readonly kind: "put"; readonly bytes: Uint8Array; readonly gone: number }
  | { readonly kind: "u32"; readonly value: number }
  | { readonly kind: "flip"; readonly mask: number }
  | { readonly kind: "repeat"; readonly length: number };

const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ kind: fc.constant("put" as const), bytes: fc.uint8Array({ maxLength: 8 }), gone: fc.nat(8) }),
  fc.record({ kind: fc.constant("u32" as const), value: fc.constantFrom(...extremes) }),
  fc.record({ kind: fc.constant("flip" as const), mask: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ kind: fc.constant("repeat" as const), length: fc.nat(200) }),
);

function changed(bytes: Buffer, at: number, change: Edit): Buffer {
  if (change.kind === "put")
    return Buffer.concat([bytes.subarray(0, at), change.bytes, bytes.subarray(at + change.gone)]);
  if (change.kind === "repeat")
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + change.length), bytes.subarray(at)]);
  const copy = Buffer.from(bytes);
  if (change.kind === "u32" && at + 4 <= copy.length) copy.writeUInt32LE(change.value, at);
  else if (change.kind === "flip" && at < copy.length) copy[at]! ^= change.mask;
  return copy;
}

/** Any bytes, beginnings of one of `seeds`, two of them spliced, and seeds with some edits. */
export function hostileBytes(seeds: readonly Buffer[]): fc.Arbitrary<Buffer> {
  const seed = fc.constantFrom(...seeds);
  const place = fc.double({ min: 0, max: 1, noNaN: true });
  const at = (bytes: Buffer, where: number): number => Math.floor(where * bytes.length);
  return fc.oneof(
    fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
    fc.tuple(seed, place).map(([bytes, where]) => bytes.subarray(0, at(bytes, where))),
    fc
      .tuple(seed, seed, place, place)
      .map(([one, other, end, start]) =>
        Buffer.concat([one.subarray(0, at(one, end)), other.subarray(at(other, start))]),
      ),
    {
      weight: 6,
      arbitrary: fc
        .tuple(seed, fc.array(fc.tuple(place, edit), { minLength: 1, maxLength: 4 }))
        .map(([bytes, edits]) =>
          edits.reduce((all, [where, change]) => changed(all, at(all, where), change), bytes),
        ),
    },
  );
}
