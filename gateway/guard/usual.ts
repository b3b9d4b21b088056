// What is usual for an item, by robust statistics over its history: one spike moves none of them.

/** Makes the median absolute deviation comparable with the standard deviation of a normal distribution. */
const madScale = 1.4826;
const deviations = 6;
/** A share that came so often is usual, however rare it is. */
const timesUsual = 3;
const rowsForStatistics = 5;

/** 0 for no values. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

/** The highest share that is still usual; undefined where there is no history. */
export function usualUpTo(history: readonly number[]): number | undefined {
  if (history.length === 0) return undefined;
  if (history.length < rowsForStatistics) return Math.max(...history);
  const middle = median(history);
  const deviation = madScale * median(history.map((value) => Math.abs(value - middle)));
  const often = history.toSorted((a, b) => b - a)[timesUsual - 1] ?? 0;
  return Math.max(middle + deviations * deviation, often);
}
