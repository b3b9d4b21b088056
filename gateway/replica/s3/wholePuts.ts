// Objects that go in one request each.
//
// Invariants
// - Signed with the SHA-256 of all bytes: a server that compares it never stores others.
// - A source that checks itself is read once, while it is sent, and its put has no Content-MD5; any other is read and hashed before.
// - Proven are: what a server took that refused other bytes when it was tried; elsewhere, what has our MD5 as its ETag.

import type { ReplicaOptions } from "../../catalog/replicas.ts";
import type { ReplicaAddress } from "../openStore.ts";
import type { ObjectSource, PutOptions, PutProof } from "../replicaStore.ts";
import { bodyOf, checkHash, streamedBody } from "./bodies.ts";
import { md5Text, plainETag, signedHash } from "./checksums.ts";
import { headObject } from "./headObject.ts";
import { retainUntil } from "./lock.ts";
import { proofOf } from "./proof.ts";
import type { CallResult, S3Calls } from "./s3Calls.ts";

/** What came of a put. `lostBefore`: an earlier try of it was lost on the way. */
export type WholePut = { readonly proof: PutProof | "exists"; readonly lostBefore: boolean };

type Answer = CallResult<{ readonly ETag?: string | undefined }>;

export class WholePuts {
  readonly #calls: S3Calls;
  readonly #lockDays: ReplicaOptions["lockDays"];
  readonly #comparesSha256: boolean;
  /** Whether puts without Content-MD5 are taken: buckets that hold every object want it. */
  #takesStreams = true;

  constructor(calls: S3Calls, { options, comparesSha256 = false }: ReplicaAddress) {
    this.#calls = calls;
    this.#lockDays = options.lockDays;
    this.#comparesSha256 = comparesSha256;
  }

  /** @throws as S3Calls.run; SourceFailure; HoldfastError replica-damaged when it is not there although it was acknowledged */
  async put(key: string, source: ObjectSource, options: PutOptions, ifAbsent: boolean): Promise<WholePut> {
    const until = retainUntil(key, this.#lockDays, this.#calls.now());
    if (source.checks === true && until === undefined && this.#takesStreams) {
      const put = await this.#streamed(key, source, options, ifAbsent);
      if (put !== "refused") return put;
      this.#takesStreams = false;
    }
    const body = await bodyOf(source, 0, source.bytes, options);
    checkHash(source, body.sha256);
    const command = new this.#calls.sdk.PutObjectCommand({
      ...this.#calls.where(key),
      ContentLength: source.bytes,
      ContentMD5: md5Text(body),
      ...(ifAbsent && { IfNoneMatch: "*" }),
      ...(until !== undefined && { ObjectLockMode: "COMPLIANCE", ObjectLockRetainUntilDate: until }),
    });
    signedHash(command, body);
    const { signal } = options;
    const answer = await this.#calls.run(
      { name: "PutObject", key, signal, body, expected: ifAbsent ? [412] : [] },
      (client, settings) => client.send(command, settings),
    );
    return this.#outcome(key, source, answer, body.md5, signal);
  }

  /** `refused`: the store wants another request than this. */
  async #streamed(
    key: string,
    source: ObjectSource,
    options: PutOptions,
    ifAbsent: boolean,
  ): Promise<WholePut | "refused"> {
    const { signal } = options;
    const body = streamedBody(source, options, !this.#comparesSha256);
    const command = new this.#calls.sdk.PutObjectCommand({
      ...this.#calls.where(key),
      ContentLength: source.bytes,
      ...(ifAbsent && { IfNoneMatch: "*" }),
    });
    signedHash(command, body);
    const answer = await this.#calls.run(
      { name: "PutObject", key, signal, body, expected: ifAbsent ? [412, 400] : [400] },
      (client, settings) => client.send(command, settings),
    );
    if (!answer.ok && answer.status === 400) return "refused";
    // The server compared all bytes with the hash in the signature: their MD5 would say it once more, and costs more than all else here.
    if (answer.ok && this.#comparesSha256) return { proof: "checksum", lostBefore: answer.lostBefore };
    return this.#outcome(key, source, answer, body.sentMd5(), signal);
  }

  /** `md5`: of what was sent; undefined when not all of it went. */
  async #outcome(
    key: string,
    source: ObjectSource,
    answer: Answer,
    md5: Buffer | undefined,
    signal: AbortSignal | undefined,
  ): Promise<WholePut> {
    const { lostBefore } = answer;
    const expected = md5?.toString("hex");
    if (answer.ok) {
      const given = plainETag(answer.value.ETag);
      return { proof: await proofOf(this.#calls, key, source, expected, given, signal), lostBefore };
    }
    // Refused because it is there: by an earlier try of this put, if the bytes are the same.
    if (!lostBefore) return { proof: "exists", lostBefore };
    const found = await headObject(this.#calls, key, signal);
    const same = found?.bytes === source.bytes && found.etag === expected;
    return { proof: same ? "checksum" : "exists", lostBefore };
  }
}
