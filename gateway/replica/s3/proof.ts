// How far an object is proven by what the store says of it.

import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { ObjectSource, PutProof } from "../replicaStore.ts";
import { headObject } from "./headObject.ts";
import type { S3Calls } from "./s3Calls.ts";

/**
 * Compares the store's own checksum (`given`, an ETag) with ours; asks for it where the answer of the put had none. `expected`: undefined when not all of
 * the object was sent by this put.
 * @throws HoldfastError replica-damaged when it is not there whole; as S3Calls.run
 */
export async function proofOf(
  calls: S3Calls,
  key: string,
  source: ObjectSource,
  expected: string | undefined,
  given: string,
  signal?: AbortSignal,
): Promise<PutProof> {
  if (given === expected) return "checksum";
  const found = await headObject(calls, key, signal);
  if (found === undefined || found.bytes !== source.bytes) {
    throw new HoldfastError(
      ErrorCode.replicaDamaged,
      `${calls.url}: ${key} is not there whole although its put was acknowledged`,
      { next: "The store loses or shortens objects: do not rely on it." },
    );
  }
  return found.etag === expected ? "checksum" : "unproven";
}
