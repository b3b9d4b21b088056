// Puts documents, whose names are not their hashes, so that they are proven.

import { holds, sourceOf, wrongThere } from "../chain/namedObjects.ts";
import type { PutOptions, ReplicaStore } from "../replicaStore.ts";

/**
 * Puts a document under the first of some keys that is free or holds these bytes already; answers which.
 * @throws HoldfastError replica-damaged when none is, and what the store throws
 */
export async function putDocument(
  store: ReplicaStore,
  keys: readonly string[],
  bytes: Buffer,
  options: PutOptions,
): Promise<string> {
  const source = sourceOf(bytes);
  for (const key of keys) {
    const answer = await store.putIfAbsent(key, source, options);
    const proven = answer.outcome === "created" && answer.proof !== "unproven";
    if (proven || (await holds(store, key, bytes, options.signal))) return key;
  }
  throw wrongThere(keys.at(-1)!);
}
