import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { PackSource } from "../../../../gateway/replica/job/packSource.ts";
import { ErrorCode, HoldfastError } from "../../../../vault/errors.ts";
import { seededBytes } from "../../../vault/seeded.ts";

const MiB = 2 ** 20;
const pack = seededBytes("pack", 3 * MiB + 12_345);
const name = createHash("sha256").update(pack).digest();

/** A source over `bytes`, which a test may change under it, that counts what is read. */
function sourceOf(bytes: Buffer): { source: PackSource; reads: () => number } {
  let read = 0;
  const source = new PackSource(name, pack.length, async (into, position) => {
    await Promise.resolve();
    read += into.length;
    return bytes.copy(into, 0, position, position + into.length);
  });
  return { source, reads: () => read };
}

test("ranges in any order, again and side by side are the pack's bytes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.tuple(fc.nat(pack.length), fc.nat(2 * MiB)).map(([offset, length]) => ({
          offset,
          length: Math.min(length, pack.length - offset),
        })),
        { maxLength: 12 },
      ),
      async (ranges) => {
        const { source } = sourceOf(pack);
        const got = await Promise.all(ranges.map(({ offset, length }) => source.read(offset, length)));
        got.forEach((bytes, i) => {
          const { offset, length } = ranges[i]!;
          expect(bytes.equals(pack.subarray(offset, offset + length))).toBe(true);
        });
      },
    ),
    { numRuns: 25 },
  );
});

test("read in order, each byte is read once", async () => {
  const { source, reads } = sourceOf(pack);
  for (let at = 0; at < pack.length; at += MiB) await source.read(at, Math.min(MiB, pack.length - at));
  expect(reads()).toBe(pack.length);
});

test("a changed byte anywhere: the range with the end is not handed out, nor anything after that", async () => {
  for (const at of [0, 1_500_000, pack.length - 1]) {
    const wrong = Buffer.from(pack);
    wrong[at]! ^= 1;
    const { source } = sourceOf(wrong);
    await source.read(0, 2 * MiB);
    expect(source.damage).toBeUndefined();
    await expect(source.read(2 * MiB, pack.length - 2 * MiB)).rejects.toMatchObject({
      code: "chunk-damaged",
    });
    await expect(source.read(0, 1)).rejects.toMatchObject({ code: "chunk-damaged" });
    expect(source.damage?.code).toBe("chunk-damaged");
  }
});

test("the end asked for first is proved by all that comes before it", async () => {
  const wrong = Buffer.from(pack);
  wrong[5]! ^= 1;
  await expect(sourceOf(wrong).source.read(pack.length - 1, 1)).rejects.toMatchObject({
    code: "chunk-damaged",
  });
  expect((await sourceOf(pack).source.read(pack.length - 1, 1)).equals(pack.subarray(-1))).toBe(true);
});

test("bytes that change between two tries, and a file that is cut, are damage", async () => {
  const changing = Buffer.from(pack);
  const { source } = sourceOf(changing);
  await source.read(0, pack.length);
  changing[MiB]! ^= 1;
  expect((await source.read(0, MiB)).equals(pack.subarray(0, MiB))).toBe(true);
  await expect(source.read(MiB, 10)).rejects.toMatchObject({ code: "chunk-damaged" });
  const short = sourceOf(pack.subarray(0, 2 * MiB)).source;
  await expect(short.read(2 * MiB, 10)).rejects.toThrow("ends early");
});

test("what reading says is the pack's damage", async () => {
  const gone = new HoldfastError(ErrorCode.chunkMissing, "the file is missing");
  const source = new PackSource(name, pack.length, () => Promise.reject(gone));
  await expect(source.read(0, 1)).rejects.toBe(gone);
  expect(source.damage).toBe(gone);
  expect(() => source.read(pack.length, 1)).toThrow(RangeError);
});
