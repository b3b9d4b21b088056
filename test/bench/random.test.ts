import fc from "fast-check";
import { expect, test } from "vitest";
import { seededNoise, seededRandom, seededSample } from "./random.ts";

test("the same seed gives the same numbers and bytes, another seed others", () => {
  const draw = (seed: string): number[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 50 }, () => random.integer(1_000_000));
  };
  expect(draw("a")).toEqual(draw("a"));
  expect(draw("a")).not.toEqual(draw("b"));
  expect(seededNoise("a")(64)).toEqual(seededNoise("a")(64));
  expect(seededNoise("a")(64)).not.toEqual(seededNoise("b")(64));
});

test("noise goes on where it stopped, so a run of bytes is not repeated", () => {
  const noise = seededNoise("a");
  expect(Buffer.concat([noise(10), noise(54)])).toEqual(seededNoise("a")(64));
});

test("a sample is different numbers, ascending, in range", () => {
  fc.assert(
    fc.property(
      fc.string(),
      fc.integer({ min: 0, max: 60 }),
      fc.integer({ min: 60, max: 500 }),
      (seed, count, below) => {
        const sample = seededSample(seed, count, below);
        expect(sample).toHaveLength(count);
        expect(sample).toEqual([...new Set(sample)].sort((a, b) => a - b));
        expect(sample.every((value) => value >= 0 && value < below)).toBe(true);
      },
    ),
  );
  expect(() => seededSample("a", 2, 1)).toThrow(RangeError);
});
