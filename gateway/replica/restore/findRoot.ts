// Roots of a chain that is read for restoring: what was seen before is in the gateway's catalog, not here.

import { limits } from "../../../vault/limits.ts";
import { newestGeneration } from "../chain/newestGeneration.ts";
import { rootKey } from "../keys.ts";
import type { ReplicaStore } from "../replicaStore.ts";
import { damagedObject, fetchRange } from "./fetchObject.ts";

/** The highest generation of a chain; 0 where there is none. @throws as ReplicaStore.head */
export function newestOf(store: ReplicaStore, folder: string, signal: AbortSignal): Promise<number> {
  return newestGeneration(
    0,
    async (generation) => (await store.head(rootKey(folder, generation), signal)) !== undefined,
  );
}

/** The bytes of a root that must be there. @throws HoldfastError replica-damaged; as ReplicaStore.getRange */
export async function fetchRoot(
  store: ReplicaStore,
  folder: string,
  generation: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const key = rootKey(folder, generation);
  const head = await store.head(key, signal);
  if (head === undefined) throw damagedObject(key, "is missing");
  if (head.bytes > limits.rootBytesMax) throw damagedObject(key, "is longer than a root can be");
  return fetchRange(store, key, 0, head.bytes, signal);
}
