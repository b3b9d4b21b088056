// Addresses of buckets: s3://BUCKET/PREFIX.

import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { checkKey, keyBytesMax } from "../keys.ts";
import { withoutSecrets } from "../withoutSecrets.ts";

export type S3Place = {
  readonly bucket: string;
  /** Ends with a slash, or is empty. */
  readonly prefix: string;
};

/** Bytes of the longest key of docs/format.md, section 11.1, with some to spare. */
const ownKeyBytes = 200;

/**
 * Takes an address apart.
 * @throws HoldfastError usage
 */
export function parseS3Url(url: string): S3Place {
  const match = /^s3:\/\/([^/]*)(?:\/(.*))?$/s.exec(url);
  const bucket = match?.[1] ?? "";
  const path = (match?.[2] ?? "").replace(/\/$/, "");
  // Bucket names of S3, and what Ceph and old AWS buckets allow besides: capitals and underscores.
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$/.test(bucket) || bucket.includes("..")) {
    throw wrong(url, "the bucket's name is none");
  }
  if (path === "") return { bucket, prefix: "" };
  try {
    checkKey(path);
  } catch {
    throw wrong(url, "the prefix may have letters, digits, '.', '_' and '-' between single slashes");
  }
  if (path.length > keyBytesMax - ownKeyBytes) throw wrong(url, "the prefix is too long");
  return { bucket, prefix: `${path}/` };
}

function wrong(url: string, why: string): HoldfastError {
  return new HoldfastError(ErrorCode.usage, `not an S3 address: ${withoutSecrets(url)}: ${why}`, {
    next: "Write s3://BUCKET or s3://BUCKET/PREFIX; keys come from --credentials-file, the environment or a profile.",
  });
}
