// Puts objects that are small: segments, snapshots, pages, documents.

import { hash } from "node:crypto";
import { equalBytes } from "../../../vault/bytes.ts";
import type { ObjectSource, ReplicaStore } from "../replicaStore.ts";
import { memorySource, wrongThere } from "./packSource.ts";

/** Whether an object there has these bytes. */
async function holds(
  store: ReplicaStore,
  key: string,
  source: ObjectSource,
  signal: AbortSignal,
): Promise<boolean> {
  if ((await store.head(key, signal))?.bytes !== source.bytes) return false;
  const bytes = await store.getRange(key, 0, source.bytes, signal);
  return equalBytes(hash("sha256", bytes, "buffer"), source.sha256);
}

/**
 * Makes an object that is named by its hash be there, with the right bytes.
 * @throws HoldfastError replica-damaged when it does not read back, and what the store throws
 */
export async function putNamed(
  store: ReplicaStore,
  key: string,
  source: ObjectSource,
  signal: AbortSignal,
): Promise<void> {
  const answer = await store.putIfAbsent(key, source, { signal });
  if (answer.outcome === "created") {
    if (answer.proof !== "unproven") return;
  } else {
    if (await holds(store, key, source, signal)) return;
    if ((await store.heal(key, source, { signal })) !== "unproven") return;
  }
  if (!(await holds(store, key, source, signal))) throw wrongThere(key);
}

/**
 * Puts a document under the first of some names that is free or holds these bytes already; answers which.
 * @throws HoldfastError replica-damaged when none is, and what the store throws
 */
export async function putDocument(
  store: ReplicaStore,
  keys: readonly string[],
  bytes: Buffer,
  signal: AbortSignal,
): Promise<string> {
  const source = memorySource(bytes);
  for (const key of keys) {
    const answer = await store.putIfAbsent(key, source, { signal });
    const proven = answer.outcome === "created" && answer.proof !== "unproven";
    if (proven || (await holds(store, key, source, signal))) return key;
  }
  throw wrongThere(keys.at(-1)!);
}
