// Puts small objects so that they are proven: segments, snapshots, documents.

import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { putProven, sha256, sourceOf } from "../chain/namedObjects.ts";
import type { PutOptions, ReplicaStore } from "../replicaStore.ts";

/** What a replica acknowledged does not read back as it was sent. */
export function wrongThere(key: string): HoldfastError {
  return new HoldfastError(
    ErrorCode.replicaDamaged,
    `${key} of the replica does not read back as it was sent`,
    { next: "Check the disk or the service there, then `holdfast replica run`.", detail: { object: key } },
  );
}

/**
 * Makes an object that is named by its hash be there, with the right bytes.
 * @throws HoldfastError replica-damaged when it does not read back, and what the store throws
 */
export async function putNamed(
  store: ReplicaStore,
  key: string,
  bytes: Buffer,
  options: PutOptions,
): Promise<void> {
  const proof = await putProven(store, key, bytes, options);
  if (proof === "unproven" && !(await holds(store, key, bytes, options.signal))) throw wrongThere(key);
}

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

async function holds(
  store: ReplicaStore,
  key: string,
  bytes: Buffer,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if ((await store.head(key, signal))?.bytes !== bytes.length) return false;
  return sha256(await store.getRange(key, 0, bytes.length, signal)).equals(sha256(bytes));
}
