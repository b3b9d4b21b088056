// Peak memory by sampling. The kernel's own peak (VmHWM) counts mapped files too, which would charge LMDB's map and
// every program file; RssAnon + RssShmem leaves those out but has no kernel-kept peak, so it is read every 20 ms.
// A spike shorter than that can be missed; it is the same for every program measured. New processes are looked for less often: every thread of
// every process is asked for its children, which took 6 % of a processor and more from programs with many threads.

import { memoryOf, processTree } from "./procfs.ts";

const INTERVAL_MS = 20;
const SAMPLES_PER_LOOK = 10;

export type Sampler = {
  /** Ends sampling and gives the highest sum seen per role, in bytes. */
  readonly stop: () => Map<string, number>;
};

/** Starts to watch the process trees of `roots` (role to PID). Pages shared by two processes of a tree count twice. */
export function startSampler(roots: ReadonlyMap<string, number>): Sampler {
  const peaks = new Map<string, number>([...roots.keys()].map((role) => [role, 0]));
  const trees = new Map<string, readonly number[]>();
  let samples = 0;
  const sample = (): void => {
    const looks = samples++ % SAMPLES_PER_LOOK === 0;
    for (const [role, root] of roots) {
      if (looks) trees.set(role, processTree(root));
      peaks.set(role, Math.max(peaks.get(role) ?? 0, memoryOf(trees.get(role) ?? [])));
    }
  };
  sample();
  const timer = setInterval(sample, INTERVAL_MS);
  return {
    stop: () => {
      clearInterval(timer);
      sample();
      return peaks;
    },
  };
}
