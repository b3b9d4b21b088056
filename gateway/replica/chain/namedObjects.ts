// Objects that are named by the SHA-256 of their bytes: put and read so that the name holds.

import { createHash } from "node:crypto";
import { toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import type { NamedObject } from "../../../vault/replica/root.ts";
import type { ObjectSource, PutOptions, PutProof, ReplicaStore } from "../replicaStore.ts";

export function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}

/** Bytes in memory as what is to be stored. */
export function sourceOf(bytes: Buffer): ObjectSource {
  return {
    bytes: bytes.length,
    sha256: sha256(bytes),
    read: async (offset, length) => bytes.subarray(offset, offset + length),
  };
}

/**
 * Puts a small object (a page, a segment, a document) whose bytes are at hand. One that is there already, left by a writer that stopped, is read and compared, and
 * mended where it differs. What the store proves nothing of is read back.
 * @throws HoldfastError replica-damaged when it does not read back; what the store throws
 */
export async function putProven(
  store: ReplicaStore,
  key: string,
  bytes: Buffer,
  options: PutOptions = {},
): Promise<Exclude<PutProof, "unproven">> {
  const source = sourceOf(bytes);
  const put = await store.putIfAbsent(key, source, options);
  let proof: PutProof;
  if (put.outcome === "created") ({ proof } = put);
  else if (await holds(store, key, bytes, options.signal)) return "hashed";
  else proof = await store.heal(key, source, options);
  if (proof !== "unproven") return proof;
  if (await holds(store, key, bytes, options.signal)) return "hashed";
  throw wrongThere(key);
}

/** What a replica acknowledged does not read back as it was sent. */
export function wrongThere(key: string): HoldfastError {
  return new HoldfastError(
    ErrorCode.replicaDamaged,
    `${key} of the replica does not read back as it was sent`,
    { next: "Check the disk or the service there, then `holdfast replica run`.", detail: { object: key } },
  );
}

/** Whether an object is there, with these bytes. */
export async function holds(
  store: ReplicaStore,
  key: string,
  bytes: Buffer,
  signal?: AbortSignal,
): Promise<boolean> {
  try {
    const size = await store.head(key, signal);
    return size?.bytes === bytes.length && (await store.getRange(key, 0, bytes.length, signal)).equals(bytes);
  } catch (error) {
    if (isHoldfastError(error, ErrorCode.replicaDamaged) || isHoldfastError(error, ErrorCode.notFound))
      return false;
    throw error;
  }
}

/**
 * The bytes of an object that a root or a page names.
 * @throws HoldfastError replica-damaged when it is missing, shorter, or of another hash; what the store throws
 */
export async function readNamed(
  store: ReplicaStore,
  folder: string,
  { name, bytes, sha256: hash }: NamedObject,
  signal?: AbortSignal,
): Promise<Buffer> {
  const key = `${folder}${name}`;
  let found: Buffer;
  try {
    found = await store.getRange(key, 0, bytes, signal);
  } catch (error) {
    if (!isHoldfastError(error, ErrorCode.notFound)) throw error;
    throw damaged(key, "is missing", error);
  }
  if (toHex(sha256(found)) !== hash) throw damaged(key, "is of another hash");
  return found;
}

export function damaged(key: string, why: string, cause?: unknown): HoldfastError {
  return new HoldfastError(ErrorCode.replicaDamaged, `${key} of the replica ${why}`, {
    detail: { key },
    cause,
  });
}
