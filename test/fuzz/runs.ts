// How much is tried, and with which seed. `FUZZ_RUNS` multiplies the number of tries (1 in CI), `FUZZ_SEED` repeats a run; fast-check prints
// the seed of what failed.

const factor = Number(process.env.FUZZ_RUNS ?? 1);
const seed = process.env.FUZZ_SEED;

/** Parameters for `fc.assert`. */
export function runs(usual: number): { numRuns: number; seed?: number } {
  if (!(factor > 0)) throw new Error("FUZZ_RUNS is no number above 0");
  return { numRuns: Math.ceil(usual * factor), ...(seed !== undefined && { seed: Number(seed) }) };
}
