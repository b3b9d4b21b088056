// Replicas in a bucket of an S3 server.
//
// Invariants
// - Every put is signed with the SHA-256 of its bytes, and carries Content-MD5 but where the source checks itself: a server that checks what it
//   is sent never stores other bytes.
// - A put begins only after the source was found to have the hash it names, or ends only then: such a source is read once, while it is sent.
// - LIST requests are made by `list` alone (and one for the left-over uploads of an object that goes in parts).

import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import type { ReplicaOptions } from "../../catalog/replicas.ts";
import { checkKey } from "../keys.ts";
import type { ReplicaAddress } from "../openStore.ts";
import type {
  Memory,
  ObjectSource,
  PutOptions,
  PutProof,
  ReplicaStore,
  StoredObject,
  StoreUsage,
} from "../replicaStore.ts";
import { SourceFailure } from "./bodies.ts";
import { deleteObject } from "./deleteObject.ts";
import { headObject } from "./headObject.ts";
import { retainUntil } from "./lock.ts";
import { abortAbandoned, partBytes, uploadInParts } from "./multipart.ts";
import { proofOf } from "./proof.ts";
import { openS3Calls, type S3Calls, type S3Context } from "./s3Calls.ts";
import { Turns } from "./turns.ts";
import { wholeBody } from "./wholeBody.ts";
import { WholePuts } from "./wholePuts.ts";

/** Larger objects go in parts, always. Packs are smaller as a rule: one request each. */
export const singleBytesMax = 40 << 20;
/** Puts that are under way at a time; the others wait. */
const putsMax = 16;
/** From this size on it is worth a request to ask first whether the object is there. */
const askFirstBytes = 4 << 20;
/** After a large put was lost, so many next ones go in parts, so that less is lost. */
const cautiousPuts = 64;

class S3Store implements ReplicaStore {
  readonly kind = "s3";
  readonly url: string;
  readonly conditionalPuts: boolean;
  readonly #calls: S3Calls;
  readonly #lockDays: ReplicaOptions["lockDays"];
  readonly #turns = new Turns(putsMax);
  readonly #wholePuts: WholePuts;
  #cautious = 0;

  constructor(calls: S3Calls, replica: ReplicaAddress) {
    this.url = replica.url;
    this.conditionalPuts = replica.conditionalPuts;
    this.#calls = calls;
    this.#lockDays = replica.options.lockDays;
    this.#wholePuts = new WholePuts(calls, replica);
  }

  async putIfAbsent(
    key: string,
    source: ObjectSource,
    options: PutOptions = {},
  ): Promise<{ readonly outcome: "created"; readonly proof: PutProof } | { readonly outcome: "exists" }> {
    const proof = await this.#put(key, source, options, true);
    return proof === "exists" ? { outcome: "exists" } : { outcome: "created", proof };
  }

  async heal(key: string, source: ObjectSource, options: PutOptions = {}): Promise<PutProof> {
    const proof = await this.#put(key, source, options, false);
    if (proof === "exists") throw new Error("S3: a put without condition was refused by one");
    return proof;
  }

  async getRange(
    key: string,
    offset: number,
    length: number,
    signal?: AbortSignal,
    memory?: Memory,
  ): Promise<Buffer> {
    checkKey(key);
    this.#calls.checkOpen(signal);
    if (length === 0) {
      const found = await headObject(this.#calls, key, signal);
      if (found === undefined) throw missing(this.url, key);
      if (offset > found.bytes) throw short(this.url, key, offset, length);
      return Buffer.alloc(0);
    }
    const command = new this.#calls.sdk.GetObjectCommand({
      ...this.#calls.where(key),
      Range: `bytes=${offset}-${offset + length - 1}`,
    });
    const answer = await this.#calls.run(
      {
        name: "GetObject",
        key,
        signal,
        answerBytesMax: Math.max(length, errorBytesMax),
        memory,
        expected: [404, 416],
      },
      async (client, settings) => wholeBody((await client.send(command, settings)).Body),
    );
    if (!answer.ok)
      throw answer.status === 404 ? missing(this.url, key) : short(this.url, key, offset, length);
    if (answer.value.length !== length) throw short(this.url, key, offset, length);
    return answer.value;
  }

  async head(key: string, signal?: AbortSignal): Promise<{ readonly bytes: number } | undefined> {
    checkKey(key);
    this.#calls.checkOpen(signal);
    const found = await headObject(this.#calls, key, signal);
    return found === undefined ? undefined : { bytes: found.bytes };
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncIterable<StoredObject> {
    if (prefix !== "") checkKey(prefix.endsWith("/") ? prefix.slice(0, -1) : "");
    this.#calls.checkOpen(signal);
    const { bucket, prefix: own } = this.#calls.place;
    let next: string | undefined;
    let emptyPages = 0;
    do {
      const command = new this.#calls.sdk.ListObjectsV2Command({
        Bucket: bucket,
        Prefix: own + prefix,
        ContinuationToken: next,
      });
      const page = await this.#calls.run({ name: "ListObjectsV2", signal }, (client, settings) =>
        client.send(command, settings),
      );
      if (!page.ok) throw new Error("S3: a list failed unexpectedly");
      for (const { Key, Size } of page.value.Contents ?? []) {
        const key = Key?.startsWith(own + prefix) ? Key.slice(own.length) : "";
        if (isKey(key) && Size !== undefined) yield { key, bytes: Size };
      }
      emptyPages = page.value.Contents?.length ? 0 : emptyPages + 1;
      if (emptyPages > emptyPagesMax) throw this.#calls.refusal("", "ListObjectsV2: its list has no end");
      const token = page.value.IsTruncated ? page.value.NextContinuationToken : undefined;
      next = token === next ? undefined : token;
    } while (next !== undefined);
  }

  async delete(key: string): Promise<"deleted" | "absent" | "locked"> {
    checkKey(key);
    this.#calls.checkOpen();
    return deleteObject(this.#calls, key);
  }

  usage(): StoreUsage {
    return this.#calls.usage();
  }

  async close(): Promise<void> {
    this.#calls.close();
  }

  async #put(
    key: string,
    source: ObjectSource,
    options: PutOptions,
    ifAbsent: boolean,
  ): Promise<PutProof | "exists"> {
    checkKey(key);
    return this.#turns.run(async () => {
      try {
        this.#calls.checkOpen(options.signal);
        // Stores without conditional writes overwrite: there, and where much would be sent in vain, it is asked first.
        if (ifAbsent && (!this.conditionalPuts || source.bytes >= askFirstBytes)) {
          if ((await headObject(this.#calls, key, options.signal)) !== undefined) return "exists";
        }
        return await this.#send(key, source, options, ifAbsent && this.conditionalPuts);
      } catch (error) {
        if (error instanceof SourceFailure) throw error.cause;
        if (isHoldfastError(error)) throw error;
        this.#calls.checkOpen(options.signal);
        throw error;
      }
    });
  }

  async #send(
    key: string,
    source: ObjectSource,
    options: PutOptions,
    ifAbsent: boolean,
  ): Promise<PutProof | "exists"> {
    const cautious = this.#cautious > 0 && source.bytes > partBytes;
    if (cautious) this.#cautious--;
    const inParts = cautious || source.bytes > singleBytesMax || options.resume !== undefined;
    if (!inParts || source.bytes === 0) {
      const put = await this.#wholePuts.put(key, source, options, ifAbsent);
      if (put.lostBefore && source.bytes > partBytes) this.#cautious = cautiousPuts;
      return put.proof;
    }
    if (options.resume === undefined) await abortAbandoned(this.#calls, key, options.signal);
    const uploaded = await uploadInParts(this.#calls, key, source, options, ifAbsent);
    if (uploaded.outcome === "exists") return "exists";
    const until = retainUntil(key, this.#lockDays, this.#calls.now());
    // Some servers drop a retention that is given when an upload begins.
    if (until !== undefined) await this.#retain(key, until, options.signal);
    return proofOf(this.#calls, key, source, uploaded.expectedETag, uploaded.etag, options.signal);
  }

  async #retain(key: string, until: Date, signal?: AbortSignal): Promise<void> {
    const command = new this.#calls.sdk.PutObjectRetentionCommand({
      ...this.#calls.where(key),
      Retention: { Mode: "COMPLIANCE", RetainUntilDate: until },
    });
    await this.#calls.run({ name: "PutObjectRetention", key, signal }, (client, settings) =>
      client.send(command, settings),
    );
  }
}

/** Pages of a list without objects, one after the other: servers may give some. */
const emptyPagesMax = 1000;

/** Refusals come as XML even where a byte was asked for. */
const errorBytesMax = 64 << 10;

function isKey(key: string): boolean {
  try {
    checkKey(key);
    return true;
  } catch {
    return false;
  }
}

function missing(url: string, key: string): HoldfastError {
  return new HoldfastError(ErrorCode.notFound, `${url}: there is no ${key}`);
}

function short(url: string, key: string, offset: number, length: number): HoldfastError {
  return new HoldfastError(ErrorCode.replicaDamaged, `${url}: ${key} ends before byte ${offset + length}`, {
    next: "`holdfast replica verify NAME --heal` puts good copies there where this gateway has them.",
  });
}

/**
 * A store in a bucket. Asks the server nothing yet.
 * @throws HoldfastError usage, replica-refused (credentials or certificates that cannot be read)
 */
export async function openS3Store(replica: ReplicaAddress, context: S3Context): Promise<ReplicaStore> {
  return new S3Store(await openS3Calls(replica, context), replica);
}
