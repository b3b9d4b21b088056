// Pure arithmetic of the report: no clock, no disk.

/** Middle and spread of one measured quantity, with the samples in the order they were taken. */
export type Summary = {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly samples: readonly number[];
};

/** Middle value; the mean of the two middle values when there is an even number. Throws on no samples. */
export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  if (upper === undefined) throw new RangeError("median of no samples");
  if (sorted.length % 2 === 1) return upper;
  return ((sorted[(sorted.length >> 1) - 1] ?? upper) + upper) / 2;
}

/** The smallest value that `percent` of the samples do not exceed (nearest rank). Throws on no samples. */
export function percentile(samples: readonly number[], percent: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const found = sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)];
  if (found === undefined) throw new RangeError("percentile of no samples");
  return found;
}

/** Median, smallest and largest of `samples`. Throws on no samples. */
export function summarize(samples: readonly number[]): Summary {
  return {
    median: median(samples),
    min: Math.min(...samples),
    max: Math.max(...samples),
    samples: [...samples],
  };
}

/** `value / reference`; undefined when the reference is zero, because no ratio would mean anything then. */
export function ratio(value: number, reference: number): number | undefined {
  return reference === 0 ? undefined : value / reference;
}
