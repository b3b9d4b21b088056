// What a bucket is and does, found out by trying, when a replica is added. What people are told stands in notes.

import { randomBytes } from "node:crypto";
import { equalBytes } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { Replica, ReplicaOptions } from "../../catalog/replicas.ts";
import { bodyOfBytes } from "./bodies.ts";
import { md5Text, signedHash } from "./checksums.ts";
import { deleteObject } from "./deleteObject.ts";
import { openS3Calls, type S3Calls, type S3Context } from "./s3Calls.ts";
import { wholeBody } from "./wholeBody.ts";

export type ProbeResult = {
  /** Whether put-if-absent refuses when there is an object already. */
  readonly conditionalPuts: boolean;
  readonly versioning: boolean;
  /** Whether objects can be held by a retention here. */
  readonly objectLock: boolean;
  /** Which wrong checksums the store refused. */
  readonly verifies: { readonly md5: boolean; readonly sha256: boolean };
  /** Server's clock minus ours, to the second. */
  readonly clockSkewMs: number;
  /** For people, one sentence each. */
  readonly notes: readonly string[];
};

/** Notes that clocks differ from here on: requests are signed with the time. */
const skewToNoteMs = 60_000;

/**
 * Tries a bucket: reachable, allowed, conditional writes, versions, locks, checksums, clock. Leaves nothing behind (but a version or delete mark
 * where the bucket keeps those).
 * @throws HoldfastError replica-unreachable, replica-refused (no such bucket, not allowed, does not keep what it is given), replica-full, usage
 */
export async function probeS3(
  replica: Pick<Replica, "url" | "options">,
  context: S3Context,
  signal?: AbortSignal,
): Promise<ProbeResult> {
  const calls = await openS3Calls(replica, context);
  try {
    return await probeBucket(calls, replica, signal);
  } finally {
    calls.close();
  }
}

async function probeBucket(
  calls: S3Calls,
  { url, options }: Pick<Replica, "url" | "options">,
  signal?: AbortSignal,
): Promise<ProbeResult> {
  const clockSkewMs = await bucketClock(calls, signal);
  const versioning = await isVersioned(calls, signal);
  const objectLock = await hasObjectLock(calls, signal);
  const key = `probe/${randomBytes(16).toString("hex")}`;
  const [first, second] = [randomBytes(64), randomBytes(65)];
  try {
    const firstPut = await put(calls, key, first, { ifAbsent: true }, signal);
    if (firstPut === "refused") throw calls.refusal("", "it says that an object is there which is not");
    if (firstPut === "unknown") await put(calls, key, first, {}, signal);
    const again =
      firstPut === "stored" ? await put(calls, key, second, { ifAbsent: true }, signal) : "unknown";
    await readBack(calls, key, again === "stored" ? second : first, signal);
    const verifies = {
      md5: (await put(calls, key, second, { wrong: "md5" }, signal)) !== "stored",
      sha256: (await put(calls, key, second, { wrong: "sha256" }, signal)) !== "stored",
    };
    const found = { conditionalPuts: again === "refused", versioning, objectLock, verifies, clockSkewMs };
    const wants = expectationsOf(url, options);
    if (wants.lock && !objectLock) {
      throw new HoldfastError(
        ErrorCode.replicaRefused,
        `${url} has no Object Lock: --lock-days cannot be kept`,
        {
          next: "Leave --lock-days out; or make a bucket with Object Lock, which cannot be added to one later everywhere.",
        },
      );
    }
    return { ...found, notes: notesOf(found, wants) };
  } finally {
    await deleteObject(calls, key).catch(() => "locked"); // a bucket's default retention may hold it
  }
}

/** What a place is for: roots, all else, or both. */
type Expectations = { readonly roots: boolean; readonly lock: boolean };

function expectationsOf(url: string, { rootUrl, lockDays }: ReplicaOptions): Expectations {
  return { roots: rootUrl === undefined || rootUrl === url, lock: lockDays !== undefined && rootUrl !== url };
}

function notesOf(found: Omit<ProbeResult, "notes">, wants: Expectations): string[] {
  const notes: string[] = [];
  const { conditionalPuts, versioning, objectLock, verifies, clockSkewMs } = found;
  if (!conditionalPuts && wants.roots) {
    notes.push(
      "It ignores put-if-absent and overwrites: only this gateway may write here, and no other can take over; --root-url names a bucket for the roots that heeds it.",
    );
  }
  if (versioning && !objectLock)
    notes.push("It keeps old versions: what is deleted here goes with all its versions.");
  if (objectLock && !wants.lock) notes.push("It has Object Lock; --lock-days makes use of it.");
  if (!verifies.md5 && !verifies.sha256) {
    notes.push("It does not check checksums of what it receives: only reading back proves what is here.");
  }
  if (Math.abs(clockSkewMs) > skewToNoteMs) {
    notes.push(
      `Its clock is ${Math.round(Math.abs(clockSkewMs) / 1000)} s ${clockSkewMs > 0 ? "ahead of" : "behind"} ours.`,
    );
  }
  return notes;
}

/** Makes sure of the bucket; gives the server's clock minus ours. */
async function bucketClock(calls: S3Calls, signal?: AbortSignal): Promise<number> {
  const command = new calls.sdk.HeadBucketCommand({ Bucket: calls.place.bucket });
  const head = await calls.run({ name: "HeadBucket", signal, expected: [404] }, (client, options) =>
    client.send(command, options),
  );
  if (!head.ok) throw calls.refusal("NoSuchBucket", "there is no such bucket");
  return calls.clockSkewMs();
}

/** What a bucket's settings say; where they may not be read or are not known there: not so. */
const unreadable = [400, 403, 404, 405, 501];

async function isVersioned(calls: S3Calls, signal?: AbortSignal): Promise<boolean> {
  const command = new calls.sdk.GetBucketVersioningCommand({ Bucket: calls.place.bucket });
  const answer = await calls.run(
    { name: "GetBucketVersioning", signal, expected: unreadable },
    (client, options) => client.send(command, options),
  );
  return answer.ok && answer.value.Status === "Enabled";
}

async function hasObjectLock(calls: S3Calls, signal?: AbortSignal): Promise<boolean> {
  const command = new calls.sdk.GetObjectLockConfigurationCommand({ Bucket: calls.place.bucket });
  const answer = await calls.run(
    { name: "GetObjectLockConfiguration", signal, expected: unreadable },
    (client, options) => client.send(command, options),
  );
  return answer.ok && answer.value.ObjectLockConfiguration?.ObjectLockEnabled === "Enabled";
}

type Trial = { readonly ifAbsent?: true; readonly wrong?: "md5" | "sha256" };

/** Puts an object, with a wrong checksum where that is tried. `unknown`: the store does not know conditions. */
async function put(
  calls: S3Calls,
  key: string,
  bytes: Uint8Array,
  { ifAbsent, wrong }: Trial,
  signal?: AbortSignal,
): Promise<"stored" | "refused" | "unknown"> {
  const body = bodyOfBytes(bytes);
  const other = bodyOfBytes(Buffer.from("other bytes"));
  const command = new calls.sdk.PutObjectCommand({
    ...calls.where(key),
    ContentLength: bytes.length,
    ContentMD5: md5Text(wrong === "md5" ? other : body),
    ...(ifAbsent && { IfNoneMatch: "*" }),
  });
  signedHash(command, wrong === "sha256" ? other : body);
  const refusals = ifAbsent ? [412, 501] : [400, 403];
  const answer = await calls.run(
    {
      name: "PutObject",
      key,
      signal,
      body,
      expected: wrong || ifAbsent ? refusals : [],
      takesRefusals: wrong !== undefined,
    },
    (client, options) => client.send(command, options),
  );
  if (answer.ok) return "stored";
  return answer.status === 501 ? "unknown" : "refused";
}

/** @throws HoldfastError replica-refused unless the store gives back what it was given */
async function readBack(calls: S3Calls, key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
  const command = new calls.sdk.GetObjectCommand(calls.where(key));
  const answer = await calls.run(
    { name: "GetObject", key, signal, expected: [404] },
    async (client, options) => wholeBody((await client.send(command, options)).Body),
  );
  if (answer.ok && equalBytes(answer.value, bytes)) return;
  throw calls.refusal("", "it does not give back what it was given");
}
