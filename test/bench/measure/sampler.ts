// Peak memory by sampling. The kernel's own peak (VmHWM) counts mapped files too, which would charge LMDB's map and
// every program file; RssAnon + RssShmem leaves those out but has no kernel-kept peak, so it is read every 20 ms.
// A spike shorter than that can be missed; it is the same for every program measured.

import { treeMemory } from "./procfs.ts";

const INTERVAL_MS = 20;

export type Sampler = {
  /** Ends sampling and gives the highest sum seen per role, in bytes. */
  readonly stop: () => Map<string, number>;
};

/** Starts to watch the process trees of `roots` (role to PID). Pages shared by two processes of a tree count twice. */
export function startSampler(roots: ReadonlyMap<string, number>): Sampler {
  const peaks = new Map<string, number>([...roots.keys()].map((role) => [role, 0]));
  const sample = (): void => {
    for (const [role, pid] of roots) peaks.set(role, Math.max(peaks.get(role) ?? 0, treeMemory(pid)));
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
