// The newest root of a chain, found without a listing (docs/format.md, section 11.2): all generations up to it are there, none after it.

import { limits } from "../../../vault/limits.ts";
import { generationMax } from "../../../vault/replica/root.ts";
import { rootKey } from "../keys.ts";
import type { ReplicaStore } from "../replicaStore.ts";
import { damagedObject, fetchRange } from "./fetchObject.ts";

/** The highest generation of a chain; 0 where there is none. `known`: one that is there. @throws as ReplicaStore.head */
export async function newestGeneration(
  store: ReplicaStore,
  folder: string,
  signal: AbortSignal,
  known = 0,
): Promise<number> {
  const there = async (generation: number): Promise<boolean> =>
    generation <= generationMax && (await store.head(rootKey(folder, generation), signal)) !== undefined;
  let low = known;
  let high = known + 1;
  for (let step = 1; await there(high); step *= 2) {
    low = high;
    high = low + step;
  }
  while (high - low > 1) {
    const middle = low + Math.floor((high - low) / 2);
    if (await there(middle)) low = middle;
    else high = middle;
  }
  return low;
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
