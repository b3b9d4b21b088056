// What a run must send although it did not change, because the gateway does not have it (any more).

import { lostBundles } from "../source/bundleSweep.ts";
import { lostRecords } from "../source/lostRecords.ts";
import type { WalkOptions } from "../source/walk.ts";
import type { BackupSession } from "./request.ts";

export type MendingPort = {
  readonly session: Pick<BackupSession, "cacheToken" | "whole">;
  /** The previous snapshot's tree. */
  readonly previous: NonNullable<WalkOptions["previous"]>;
  /** The gateway's cache token when it was last known to have all of it. */
  readonly tokenKnown: string | undefined;
  /** The gateway just refused something of it. */
  readonly refused: boolean;
  readonly rescan: boolean;
  /** Whether the gateway has a chunk. */
  readonly ask: (id: Buffer) => Promise<boolean>;
};

/**
 * Ids (latin1) of records that nothing is to be taken over from. The gateway is asked when its token is another one, or it refused something.
 * @throws HoldfastError chunk-missing, promised where the tree cannot be read
 */
export async function recordsToMend(port: MendingPort): Promise<Iterable<string>> {
  const { session, previous, tokenKnown, refused, rescan, ask } = port;
  const { tree, root } = previous;
  if (refused || tokenKnown !== session.cacheToken) {
    const lost = await lostRecords(tree, root.id, (ids) => session.whole(ids));
    if (lost !== undefined) return lost;
  }
  // Chunks of large files are asked for as they are read.
  return rescan ? lostBundles(tree, root.id, ask) : [];
}
