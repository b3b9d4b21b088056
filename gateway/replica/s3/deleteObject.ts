// Deleting for good: in buckets that keep versions a plain delete only hides the object, so every version goes.

import { headObject } from "./headObject.ts";
import type { S3Calls } from "./s3Calls.ts";

/** An object has one version, and one more for each time that it was healed. */
const versionsMax = 100;

/**
 * Deletes all versions of an object. `locked`: a retention holds the one that is seen.
 * @throws as S3Calls.run
 */
export async function deleteObject(calls: S3Calls, key: string): Promise<"deleted" | "absent" | "locked"> {
  for (let deleted = 0; deleted < versionsMax; deleted++) {
    const found = await headObject(calls, key);
    if (found === undefined) return deleted === 0 ? "absent" : "deleted";
    const command = new calls.sdk.DeleteObjectCommand({ ...calls.where(key), VersionId: found.version });
    const answer = await calls.run(
      { name: "DeleteObject", key, expected: [400, 403, 404] },
      (client, options) => client.send(command, options),
    );
    if (!answer.ok && answer.status !== 404) {
      // The server's clock decides; that there is a lock only tells it from a missing permission.
      if (found.lockedUntilMs !== undefined) return "locked";
      throw calls.refusal(answer.code, `DeleteObject ${key}: the server forbids it (HTTP ${answer.status})`);
    }
    if (found.version === undefined) return "deleted";
  }
  throw calls.refusal("AccessDenied", `${key} has more than ${versionsMax} versions`);
}
