import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { median, percentile, ratio, summarize } from "./statistics.ts";

const samples = fc.array(fc.double({ min: 0, max: 1e12, noNaN: true }), { minLength: 1 });

describe("statistics", () => {
  test("a percentile is one of the samples, and the right share is not above it", () => {
    expect(percentile([3, 1, 2], 50)).toBe(2);
    expect(percentile([7], 99)).toBe(7);
    expect(() => percentile([], 50)).toThrow(RangeError);
    fc.assert(
      fc.property(samples, fc.integer({ min: 1, max: 100 }), (values, percent) => {
        const found = percentile(values, percent);
        expect(values).toContain(found);
        expect(values.filter((value) => value <= found).length * 100).toBeGreaterThanOrEqual(
          values.length * percent,
        );
        expect(values.filter((value) => value < found).length * 100).toBeLessThan(values.length * percent);
      }),
    );
  });

  test("median takes the middle, or the mean of the two middle values", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([10, 9])).toBe(9.5);
    expect(() => median([])).toThrow(RangeError);
  });

  test("half of the samples are not above the median, half not below, whatever their order", () => {
    fc.assert(
      fc.property(samples, (values) => {
        const middle = median(values);
        const half = values.length / 2;
        expect(values.filter((value) => value <= middle).length).toBeGreaterThanOrEqual(Math.floor(half));
        expect(values.filter((value) => value >= middle).length).toBeGreaterThanOrEqual(Math.floor(half));
        expect(median([...values].reverse())).toBe(middle);
      }),
    );
  });

  test("a summary spans all samples and keeps their order", () => {
    fc.assert(
      fc.property(samples, (values) => {
        const summary = summarize(values);
        expect(summary.samples).toEqual(values);
        expect(summary.min).toBeLessThanOrEqual(summary.median);
        expect(summary.max).toBeGreaterThanOrEqual(summary.median);
        expect(values).toContain(summary.min);
        expect(values).toContain(summary.max);
      }),
    );
  });

  test("a ratio to nothing is no number", () => {
    expect(ratio(1, 4)).toBe(0.25);
    expect(ratio(1, 0)).toBeUndefined();
  });
});
