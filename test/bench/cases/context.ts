// What every case of the benchmark is given.

import { performance } from "node:perf_hooks";
import type { CacheState } from "../measure/caches.ts";
import type { Peer } from "../peers/peer.ts";
import type { Samples } from "../samples.ts";

export type Context = {
  /** The folder of this benchmark; everything it makes is below. */
  readonly dir: string;
  readonly peers: readonly Peer[];
  readonly caches: CacheState;
  readonly samples: Samples;
  /** One line of progress for people, on stderr. */
  readonly say: (line: string) => void;
};

/** Runs an unmeasured or measured piece of work and says how long the whole of it took. */
export async function narrated<T>(say: Context["say"], what: string, work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  const result = await work();
  say(`${what}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
  return result;
}
