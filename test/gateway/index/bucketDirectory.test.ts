import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BucketDirectory, bucketSpan, bucketStart } from "../../../gateway/index/bucketDirectory.ts";

describe("BucketDirectory", () => {
  it("agrees with a plain list of buckets after any splits, and when rebuilt from starts", () => {
    const hashes = fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { maxLength: 60 });
    fc.assert(
      fc.property(hashes, hashes, (splitAt, asked) => {
        const directory = new BucketDirectory();
        const model = new Map<number, number>([[0, 0]]);
        for (const hash of splitAt) {
          const depth = directory.depthOf(hash);
          if (depth === 12) continue;
          const start = bucketStart(hash, depth);
          expect(model.get(start)).toBe(depth);
          directory.split(start, depth + 1);
          model.set(start, depth + 1).set(start + bucketSpan(depth + 1), depth + 1);
        }
        const rebuilt = BucketDirectory.fromStarts([...model.keys()].sort((a, b) => a - b));
        for (const hash of [...asked, ...splitAt, 0, 2 ** 32 - 1]) {
          const depth = directory.depthOf(hash);
          expect(model.get(bucketStart(hash, depth))).toBe(depth);
          expect(rebuilt.depthOf(hash)).toBe(depth);
        }
      }),
    );
  });

  it("refuses starts that are no partition", () => {
    const refused = [[1], [0, 3], [0, 2 ** 30], [0, 2 ** 30, 2 ** 31, 3 * 2 ** 30 + 1]];
    for (const starts of refused) expect(() => BucketDirectory.fromStarts(starts)).toThrow(/partition/);
  });

  it("refuses to grow without end", () => {
    const directory = new BucketDirectory();
    expect(() => {
      for (let depth = 1; depth < 32; depth++) directory.split(0, depth);
    }).toThrow(/exceeds/);
  });
});
