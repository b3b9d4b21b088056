// Reads many records: those that lie together by one read, and the next run ahead of the caller.

import type { PackReader, ReadOptions, ReadOutcome } from "./packReader.ts";
import type { Location } from "./recordToStore.ts";

/** Answers in the order of `locations`; undefined stays undefined. `ended` is called when nothing is read any more. */
export async function* readInRuns(
  reader: Pick<PackReader, "runLength" | "readRun">,
  locations: readonly (Location | undefined)[],
  options: ReadOptions,
  ended: () => void,
): AsyncGenerator<ReadOutcome | undefined> {
  const runs: { start: number; count: number }[] = [];
  for (let start = 0; start < locations.length; ) {
    const count = reader.runLength(locations, start);
    runs.push({ start, count });
    start += count;
  }
  const begin = (run: { start: number; count: number } | undefined): Promise<(ReadOutcome | undefined)[]> => {
    if (run === undefined) return Promise.resolve([]);
    const part = locations.slice(run.start, run.start + run.count).filter((place) => place !== undefined);
    const outcome = part.length === 0 ? Promise.resolve([undefined]) : reader.readRun(part, options);
    outcome.catch(() => {});
    return outcome;
  };
  let next = begin(runs[0]);
  try {
    for (let i = 0; i < runs.length; i++) {
      const current = next;
      next = begin(runs[i + 1]);
      yield* await current;
    }
  } finally {
    // A run that nobody waits for any more ends first: its file is open still.
    void next.catch(() => undefined).then(ended);
  }
}
