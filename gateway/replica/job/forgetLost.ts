// Packs that a replica acknowledged and that no root lists yet, looked at before one does: nobody has relied on them so far, and the place may
// be another one by now (a disk that was exchanged, a bucket that was emptied).

import type { PackPlaces } from "../../index/packPlaces.ts";
import { packKey } from "../keys.ts";
import type { ReplicaStore } from "../replicaStore.ts";
import { inParallel } from "../restore/inParallel.ts";
import type { PendingPacks } from "./pendingPacks.ts";

export type LostPort = {
  /** 32 hex digits each. */
  readonly vault: string;
  readonly replica: string;
  readonly store: ReplicaStore;
  readonly places: PackPlaces;
  /** Ordinals of packs that need no look: this very run put them. */
  readonly fresh: ReadonlySet<number>;
  readonly parallel: number;
  readonly signal: AbortSignal;
};

/** Packs that are looked at together. */
const atOnce = 1024;

/** Forgets places of packs that are not there in their length, so that they are sent again. @throws HoldfastError as ReplicaStore.head */
export async function forgetLost(pending: PendingPacks, port: LostPort): Promise<void> {
  const { vault, replica, store, places, fresh, parallel, signal } = port;
  for (let last = false; !last; ) {
    const group = pending.next(atOnce);
    last = group.last;
    await inParallel(
      group.packs.filter(({ put, ordinal }) => put && !fresh.has(ordinal)),
      parallel,
      async ({ name, ordinal, row }) => {
        const there = await store.head(packKey(vault, name), signal);
        if (there?.bytes !== row.bytes) places.clear(replica, ordinal);
      },
    );
    await new Promise((resolve) => setImmediate(resolve));
  }
}
