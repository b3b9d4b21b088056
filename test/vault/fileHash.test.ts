import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toHex } from "../../vault/bytes.ts";
import { FileHasher, hashSmallFile } from "../../vault/fileHash.ts";
import { nobleHmac } from "./nobleSeal.ts";
import { bytesOf } from "./sampleVault.ts";

const key = bytesOf("file hash key", 32);
const MiB = 1 << 20;

/** The definition of docs/format.md 6.3, word for word, over leaves. */
function merkle(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 1) return leaves[0]!;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  const [left, right] = [merkle(leaves.slice(0, split)), merkle(leaves.slice(split))];
  if (left.every((b) => b === 0) && right.every((b) => b === 0)) return Buffer.alloc(32);
  return nobleHmac(key, Buffer.from([1]), left, right);
}

function tree(size: number, leaves: readonly Buffer[]): Buffer {
  const sizeBytes = Buffer.alloc(8);
  sizeBytes.writeBigUInt64LE(BigInt(size));
  return nobleHmac(key, Buffer.from([2]), sizeBytes, merkle(leaves));
}

function slowHash(content: Buffer): Buffer | undefined {
  if (content.length === 0) return undefined;
  if (content.length <= MiB) return nobleHmac(key, Buffer.from([3]), content);
  const leaves: Buffer[] = [];
  for (let at = 0; at < content.length; at += MiB) {
    const block = content.subarray(at, at + MiB);
    const isZeros = block.equals(Buffer.alloc(block.length));
    leaves.push(isZeros ? Buffer.alloc(32) : nobleHmac(key, Buffer.from([0]), block));
  }
  return tree(content.length, leaves);
}

type Run = { readonly length: number; readonly kind: "data" | "zeros" | "hole" };

function contentOf(runs: readonly Run[]): Buffer {
  const parts = runs.map(({ length, kind }, i) =>
    kind === "data" ? Buffer.alloc(length, bytesOf(`run ${i}`, 61)) : Buffer.alloc(length),
  );
  return Buffer.concat(parts);
}

/** Feeds the content with holes as skipZeros and the rest in pieces of `piece` bytes, through a buffer that is reused. */
function fastHash(runs: readonly Run[], piece: number): Buffer | undefined {
  const content = contentOf(runs);
  const hasher = new FileHasher(key);
  const reused = Buffer.alloc(piece);
  let at = 0;
  for (const { length, kind } of runs) {
    const end = at + length;
    if (kind === "hole") hasher.skipZeros(length);
    for (; kind !== "hole" && at < end; at += piece) {
      const copied = content.copy(reused, 0, at, Math.min(at + piece, end));
      hasher.update(reused.subarray(0, copied));
    }
    at = end;
  }
  return hasher.digest();
}

const lengths = fc.oneof(
  fc.nat({ max: 5000 }),
  fc.constantFrom(MiB - 1, MiB, MiB + 1, 2 * MiB),
  fc.nat({ max: 3 * MiB }),
);

describe("against the definition", () => {
  test("runs of data, written zeros and holes, in pieces of any size", () => {
    const run = fc.record({
      length: lengths,
      kind: fc.constantFrom("data" as const, "zeros" as const, "hole" as const),
    });
    const piece = fc.oneof(fc.integer({ min: 4000, max: 300_000 }), fc.constantFrom(MiB, 4 * MiB));
    fc.assert(
      fc.property(fc.array(run, { maxLength: 4 }), piece, (runs, size) => {
        expect(fastHash(runs, size)).toEqual(slowHash(contentOf(runs)));
      }),
      { numRuns: 40 },
    );
  }, 240_000);

  test.each([1, MiB - 1, MiB, MiB + 1, 2 * MiB, 2 * MiB + 1])("%d bytes of data, and of zeros", (length) => {
    for (const kind of ["data", "zeros", "hole"] as const) {
      expect(fastHash([{ length, kind }], MiB)).toEqual(slowHash(contentOf([{ length, kind }])));
    }
  });

  test("any number of leaves has the shape of RFC 6962", () => {
    // Blocks of few kinds, so that their leaves can be computed once.
    const blocks = [Buffer.alloc(MiB), Buffer.alloc(MiB, 1), Buffer.alloc(MiB, 2)];
    const leafOf = [
      Buffer.alloc(32),
      nobleHmac(key, Buffer.from([0]), blocks[1]!),
      nobleHmac(key, Buffer.from([0]), blocks[2]!),
    ];
    for (let count = 2; count <= 40; count++) {
      const kinds = [...bytesOf(`kinds ${count}`, count)].map((byte) => byte % 3);
      const hasher = new FileHasher(key);
      for (const kind of kinds) kind === 0 ? hasher.skipZeros(MiB) : hasher.update(blocks[kind]!);
      expect(hasher.digest()).toEqual(
        tree(
          count * MiB,
          kinds.map((kind) => leafOf[kind]!),
        ),
      );
    }
  });
});

test("an empty file has no hash", () => {
  expect(new FileHasher(key).digest()).toBeUndefined();
  const hasher = new FileHasher(key);
  hasher.update(Buffer.alloc(0));
  hasher.skipZeros(0);
  expect(hasher.digest()).toBeUndefined();
});

test("small files at once and in pieces hash the same", () => {
  const bytes = bytesOf("small", 5000);
  const hasher = new FileHasher(key);
  for (const byte of bytes) hasher.update(Uint8Array.of(byte));
  expect(hasher.digest()).toEqual(hashSmallFile(key, bytes));
  expect(() => hashSmallFile(key, Buffer.alloc(0))).toThrow(RangeError);
  expect(() => hashSmallFile(key, Buffer.alloc(MiB + 1))).toThrow(RangeError);
});

test("files of zeros of different sizes differ, and a hole equals written zeros", () => {
  const hashOf = (size: number): string => {
    const hasher = new FileHasher(key);
    hasher.skipZeros(size);
    return toHex(hasher.digest()!);
  };
  const sizes = [1, MiB, MiB + 1, 2 * MiB, 2 ** 40, 2 ** 53 - 1];
  expect(new Set(sizes.map(hashOf)).size).toBe(sizes.length);
  expect(hashOf(2 ** 40)).toBe(toHex(tree(2 ** 40, [Buffer.alloc(32)])));
});

test("1 TiB with data in a few places costs a few hashes, at any alignment", () => {
  const first = bytesOf("first", MiB);
  const hasher = new FileHasher(key);
  hasher.skipZeros(5 * MiB);
  hasher.update(first);
  hasher.skipZeros(2 ** 40 - 6 * MiB);
  // The data is leaf 5 of 2^20: right, left and right on the three lowest levels, left on the others.
  const leaf = nobleHmac(key, Buffer.from([0]), first);
  const zero = Buffer.alloc(32);
  let root = nobleHmac(key, Buffer.from([1]), zero, leaf);
  root = nobleHmac(key, Buffer.from([1]), root, zero);
  root = nobleHmac(key, Buffer.from([1]), zero, root);
  for (let level = 3; level < 20; level++) root = nobleHmac(key, Buffer.from([1]), root, zero);
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(2n ** 40n);
  expect(hasher.digest()).toEqual(nobleHmac(key, Buffer.from([2]), size, root));
});

test("a size beyond the format is a programming error", () => {
  const hasher = new FileHasher(key);
  hasher.skipZeros(2 ** 53 - 1);
  expect(() => hasher.skipZeros(1)).toThrow(RangeError);
});
