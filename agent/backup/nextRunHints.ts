// What a run leaves in the agent's cache for the next one, after its snapshot was committed.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { type SweepState, sweepBundles } from "../source/bundleSweep.ts";
import type { PageCache } from "../source/pageCache.ts";
import { PreviousTree } from "../source/previousTree.ts";

/** The snapshot is committed: a hint for the next run that cannot be made or written must not fail this one. */
export async function leaveHints(run: {
  readonly cache: PageCache;
  readonly sweepPath: string;
  /** What the run began with. */
  readonly sweep: SweepState;
  readonly root: Buffer;
  readonly complete: boolean;
  readonly treeBytes: number;
  readonly bytesRead: number;
  /** The gateway's when the run began. */
  readonly cacheToken: string;
  readonly warn: (what: string) => void;
}): Promise<void> {
  const fetch = (): Promise<never> =>
    Promise.reject(new HoldfastError(ErrorCode.chunkMissing, "a page is not in the local cache"));
  try {
    // What an incomplete tree lacks would make bundles look hardly used.
    if (run.complete) {
      await sweepBundles({
        path: run.sweepPath,
        state: run.sweep,
        tree: new PreviousTree(run.cache, { fetch }),
        root: run.root,
        treeBytes: run.treeBytes,
        bytesRead: run.bytesRead,
        cacheToken: run.cacheToken,
      });
    }
    run.cache.finish(true);
  } catch (error) {
    const { message } = error as Error;
    run.warn(`the snapshot is committed, but the next run may be slower: ${message}`);
  }
}
