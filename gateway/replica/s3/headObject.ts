// What the store says of an object, and whether its bucket is there at all: the answer to HEAD has no words.

import { plainETag } from "./checksums.ts";
import type { S3Calls } from "./s3Calls.ts";

export type FoundObject = {
  readonly bytes: number;
  /** Without quotes; empty where the store gives none. */
  readonly etag: string;
  /** In buckets that keep versions. */
  readonly version?: string;
  /** Milliseconds since 1970 until when a lock holds it. */
  readonly lockedUntilMs?: number;
};

/**
 * Asks for an object's size, ETag, version and lock; undefined where there is no such object.
 * @throws HoldfastError replica-refused where there is no such bucket, and as S3Calls.run
 */
export async function headObject(
  calls: S3Calls,
  key: string,
  signal?: AbortSignal,
): Promise<FoundObject | undefined> {
  const command = new calls.sdk.HeadObjectCommand(calls.where(key));
  const head = await calls.run({ name: "HeadObject", key, signal, expected: [404] }, (client, options) =>
    client.send(command, options),
  );
  if (!head.ok) {
    await checkBucket(calls, signal);
    return undefined;
  }
  const { ContentLength, ETag, VersionId, ObjectLockRetainUntilDate } = head.value;
  return {
    bytes: ContentLength ?? 0,
    etag: plainETag(ETag),
    ...(VersionId !== undefined && VersionId !== "null" && { version: VersionId }),
    ...(ObjectLockRetainUntilDate !== undefined && { lockedUntilMs: ObjectLockRetainUntilDate.getTime() }),
  };
}

/** @throws HoldfastError replica-refused where there is no such bucket */
async function checkBucket(calls: S3Calls, signal?: AbortSignal): Promise<void> {
  if (calls.bucketSeenLately()) return;
  const command = new calls.sdk.HeadBucketCommand({ Bucket: calls.place.bucket });
  const head = await calls.run({ name: "HeadBucket", signal, expected: [404] }, (client, options) =>
    client.send(command, options),
  );
  if (!head.ok) throw calls.refusal("NoSuchBucket", "there is no such bucket");
}
