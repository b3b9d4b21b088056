// Large objects in parts, so that what was interrupted goes on at the part.
//
// Invariants
// - A part counts only when the store's ETag of it is the MD5 of the source's bytes there, now.
// - The upload is completed only after the hash of the whole source was found to be right.
// - An upload that is given up is aborted, unless somebody keeps its resume text.

import { createHash } from "node:crypto";
import { isHoldfastError } from "../../../vault/errors.ts";
import type { ObjectSource, PutOptions } from "../replicaStore.ts";
import { bodyOf, checkHash } from "./bodies.ts";
import { md5Text, plainETag, signedHash } from "./checksums.ts";
import { headObject } from "./headObject.ts";
import type { S3Calls } from "./s3Calls.ts";

/** S3 allows 5 MiB to 5 GiB, and 10,000 parts. */
export const partBytes = 16 << 20;
const partsMax = 10_000;

type Resume = {
  readonly upload: string;
  readonly key: string;
  readonly bytes: number;
  readonly partBytes: number;
};

/** Reads what `savePart` was given; undefined for what is not of this object. */
export function parseResume(text: string | undefined, key: string, bytes: number): Resume | undefined {
  if (text === undefined || text.length > 4096) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const found = value as Partial<Record<keyof Resume, unknown>>;
  const fine =
    typeof found.upload === "string" && found.upload !== "" &&
    found.key === key && found.bytes === bytes && found.partBytes === partBytes; // biome-ignore format: one condition
  return fine ? { upload: found.upload as string, key, bytes, partBytes } : undefined;
}

/** What was stored: the ETag that the server should have, and the one that it has. */
export type Uploaded =
  | { readonly outcome: "created"; readonly expectedETag: string; readonly etag: string }
  | { readonly outcome: "exists" };

/**
 * Stores an object in parts. `ifAbsent`: completes only if there is none by then, where the store heeds that.
 * @throws as S3Calls.run; SourceFailure
 */
export async function uploadInParts(
  calls: S3Calls,
  key: string,
  source: ObjectSource,
  options: PutOptions,
  ifAbsent: boolean,
): Promise<Uploaded> {
  const parts = Math.ceil(source.bytes / partBytes);
  if (parts > partsMax) throw new Error(`S3: an object of ${source.bytes} bytes has too many parts`);
  let resume = parseResume(options.resume, key, source.bytes);
  let known = resume === undefined ? undefined : await partsOf(calls, resume, options.signal);
  if (resume === undefined || known === undefined) {
    resume = { upload: await begin(calls, key, options.signal), key, bytes: source.bytes, partBytes };
    known = new Map();
  }
  options.savePart?.(JSON.stringify(resume));
  try {
    const md5s = await sendParts(calls, resume, known, source, options);
    const uploaded = await complete(calls, resume, md5s, options.signal, ifAbsent);
    if (uploaded.outcome === "exists") await abort(calls, resume);
    options.savePart?.(undefined);
    return uploaded;
  } catch (error) {
    const goesOn = options.savePart !== undefined && isHoldfastError(error);
    if (!goesOn) {
      await abort(calls, resume).catch(() => undefined); // the first failure is the one to report
      options.savePart?.(undefined);
    }
    throw error;
  }
}

async function begin(calls: S3Calls, key: string, signal?: AbortSignal): Promise<string> {
  const command = new calls.sdk.CreateMultipartUploadCommand(calls.where(key));
  const made = await calls.run({ name: "CreateMultipartUpload", key, signal }, (client, options) =>
    client.send(command, options),
  );
  if (!made.ok || !made.value.UploadId)
    throw calls.refusal("", `CreateMultipartUpload ${key}: it gives no upload id`);
  return made.value.UploadId;
}

/** ETags of the parts that are there, by number from 1; undefined when the upload is not known any more. */
async function partsOf(
  calls: S3Calls,
  resume: Resume,
  signal?: AbortSignal,
): Promise<Map<number, string> | undefined> {
  const found = new Map<number, string>();
  let marker: string | undefined;
  do {
    const command = new calls.sdk.ListPartsCommand({
      ...calls.where(resume.key),
      UploadId: resume.upload,
      PartNumberMarker: marker,
    });
    const answer = await calls.run(
      { name: "ListParts", key: resume.key, signal, expected: [404, 400] },
      (client, options) => client.send(command, options),
    );
    if (!answer.ok) return undefined;
    for (const { PartNumber, ETag } of answer.value.Parts ?? []) {
      if (PartNumber !== undefined) found.set(PartNumber, plainETag(ETag));
    }
    // Markers grow, or the list would have no end.
    const next = answer.value.IsTruncated ? answer.value.NextPartNumberMarker : undefined;
    marker = Number(next) > Number(marker ?? 0) ? next : undefined;
  } while (marker !== undefined);
  return found;
}

/** Sends what is not there yet; gives the MD5 of every part. */
async function sendParts(
  calls: S3Calls,
  { upload, key }: Resume,
  known: ReadonlyMap<number, string>,
  source: ObjectSource,
  { signal, throttle }: PutOptions,
): Promise<Buffer[]> {
  const whole = createHash("sha256");
  const md5s: Buffer[] = [];
  for (let offset = 0; offset < source.bytes; offset += partBytes) {
    const length = Math.min(partBytes, source.bytes - offset);
    const body = await bodyOf(source, offset, length, {
      whole,
      ...(signal && { signal }),
      ...(throttle && { throttle }),
    });
    md5s.push(body.md5);
    const number = md5s.length;
    if (known.get(number) === body.md5.toString("hex")) continue;
    const command = new calls.sdk.UploadPartCommand({
      ...calls.where(key),
      UploadId: upload,
      PartNumber: number,
      ContentLength: length,
      ContentMD5: md5Text(body),
    });
    signedHash(command, body);
    await calls.run({ name: "UploadPart", key, signal, body }, (client, options) =>
      client.send(command, options),
    );
  }
  checkHash(source, whole.digest());
  return md5s;
}

async function complete(
  calls: S3Calls,
  { upload, key }: Resume,
  md5s: readonly Buffer[],
  signal: AbortSignal | undefined,
  ifAbsent: boolean,
): Promise<Uploaded> {
  const command = new calls.sdk.CompleteMultipartUploadCommand({
    ...calls.where(key),
    UploadId: upload,
    MultipartUpload: {
      Parts: md5s.map((md5, index) => ({ PartNumber: index + 1, ETag: `"${md5.toString("hex")}"` })),
    },
    ...(ifAbsent && { IfNoneMatch: "*" }),
  });
  const done = await calls.run(
    { name: "CompleteMultipartUpload", key, signal, expected: ifAbsent ? [412, 404] : [404] },
    (client, options) => client.send(command, options),
  );
  const expectedETag = `${createHash("md5").update(Buffer.concat(md5s)).digest("hex")}-${md5s.length}`;
  if (done.ok) return { outcome: "created", expectedETag, etag: plainETag(done.value.ETag) };
  if (!done.lostBefore) {
    if (done.status === 412) return { outcome: "exists" };
    throw calls.refusal("NoSuchUpload", `CompleteMultipartUpload ${key}: somebody aborted its upload`);
  }
  // The answer of an earlier try was lost: if it was carried out, its upload became the object.
  const found = await headObject(calls, key, signal);
  if (found === undefined) {
    throw calls.refusal(
      "NoSuchUpload",
      `CompleteMultipartUpload ${key}: its upload is gone and there is no object`,
    );
  }
  if (ifAbsent && found.etag !== expectedETag) return { outcome: "exists" };
  return { outcome: "created", expectedETag, etag: found.etag };
}

async function abort(calls: S3Calls, { upload, key }: Resume): Promise<void> {
  const command = new calls.sdk.AbortMultipartUploadCommand({ ...calls.where(key), UploadId: upload });
  await calls.run({ name: "AbortMultipartUpload", key, expected: [404] }, (client, options) =>
    client.send(command, options),
  );
}

/** Gives up the uploads of a key that nobody will resume. */
export async function abortAbandoned(calls: S3Calls, key: string, signal?: AbortSignal): Promise<void> {
  const { Bucket, Key } = calls.where(key);
  const command = new calls.sdk.ListMultipartUploadsCommand({ Bucket, Prefix: Key });
  const found = await calls.run(
    { name: "ListMultipartUploads", key, signal, expected: [403, 501] },
    (client, options) => client.send(command, options),
  );
  if (!found.ok) return;
  for (const upload of found.value.Uploads ?? []) {
    if (upload.Key !== Key || upload.UploadId === undefined) continue;
    await abort(calls, { upload: upload.UploadId, key, bytes: 0, partBytes });
  }
}
