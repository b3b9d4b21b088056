// A replica on another gateway, over HTTPS with a pinned key.
//
// "hashed" says that the far gateway hashed the bytes before it acknowledged them. It may lie: a random share of what was put is asked back at once by a
// challenge, verifying reads more, and whoever evicts keeps answers to challenges that only the bytes can give.

import { createHmac, randomBytes, randomInt } from "node:crypto";
import { cancelled } from "../../../ingest/client/exchange.ts";
import type { Line } from "../../../ingest/line/line.ts";
import {
  type ChallengeRequest,
  objectHashHeader,
  peerLimits,
  type ReceiptsRequest,
} from "../../../ingest/wire/peer.ts";
import { toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import { checkPrefix, readKey } from "../../peer/keyForm.ts";
import type {
  Memory,
  ObjectSource,
  PeerProofs,
  PutOptions,
  PutProof,
  ReceiptRequest,
  ReplicaStore,
  StoredObject,
  StoreUsage,
} from "../replicaStore.ts";
import {
  checkReceipt,
  parseAnswers,
  parseDeleteAnswer,
  parseListAnswer,
  parseReceipts,
} from "./peerAnswers.ts";
import { PeerConnection } from "./peerConnection.ts";
import { putToPeer } from "./peerPut.ts";
import type { PeerToken } from "./tokenFile.ts";

export type PeerStoreOptions = {
  /** https://HOST:PORT; may be another than the far gateway knows itself by. */
  readonly url: string;
  readonly token: PeerToken;
  /** Connections at a time, 8 by default. */
  readonly socketsMax?: number;
  /** Tries of a request, 6 by default. */
  readonly triesMax?: number;
  /** A connection on which nothing moves for so long is given up; 60,000 milliseconds by default. */
  readonly idleMs?: number;
  /** One of so many objects is asked back by a challenge after it was put; 32 by default. */
  readonly challengeOneOf?: number;
  readonly line?: Line | undefined;
};

const pieceBytes = 1 << 20;
/** Instead of a range comes, where there is none, an error. */
const refusalBytesMax = 64 * 1024;

export class PeerStore implements ReplicaStore, PeerProofs {
  readonly kind = "peer";
  readonly url: string;
  readonly conditionalPuts = true;
  readonly #connection: PeerConnection;
  readonly #signer: string;
  readonly #challengeOneOf: number;

  /** Connects when it is first asked. @throws HoldfastError usage for an address that is none */
  constructor(options: PeerStoreOptions) {
    const url = parseUrl(options.url);
    const { fingerprint, token, signer } = options.token;
    this.url = url.origin;
    this.#signer = signer;
    this.#challengeOneOf = options.challengeOneOf ?? 32;
    const { socketsMax = 8, triesMax = 6, idleMs = 60_000, line } = options;
    this.#connection = new PeerConnection({ url, fingerprint, token, socketsMax, triesMax, idleMs, line });
  }

  async putIfAbsent(
    key: string,
    source: ObjectSource,
    options: PutOptions = {},
  ): Promise<{ readonly outcome: "created"; readonly proof: PutProof } | { readonly outcome: "exists" }> {
    readKey(key);
    const signal = this.#signal(options.signal);
    const outcome = await putToPeer(this.#connection, { key, source, heal: false, options, signal });
    if (outcome === "exists") return { outcome };
    // An answer was lost: what is there now is ours if it has our bytes. (A root has a nonce, so no one else's has.)
    if (outcome === "maybeOurs" && (await this.#hash(key, signal)) !== toHex(source.sha256)) {
      return { outcome: "exists" };
    }
    await this.#challengeSome(key, source, signal);
    return { outcome: "created", proof: "hashed" };
  }

  async heal(key: string, source: ObjectSource, options: PutOptions = {}): Promise<PutProof> {
    readKey(key);
    const signal = this.#signal(options.signal);
    await putToPeer(this.#connection, { key, source, heal: true, options, signal });
    await this.#challengeSome(key, source, signal);
    return "hashed";
  }

  async getRange(
    key: string,
    offset: number,
    length: number,
    signal?: AbortSignal,
    memory?: Memory,
  ): Promise<Buffer> {
    readKey(key);
    if (length === 0) {
      const found = await this.head(key, signal);
      if (found === undefined) throw new HoldfastError(ErrorCode.notFound, `the peer does not have ${key}`);
      if (offset > found.bytes) throw tooShort(key);
      return Buffer.alloc(0);
    }
    const { status, headers, body } = await this.#connection.ask({
      name: "GetObject",
      method: "GET",
      path: `/v1/peer/objects/${key}`,
      headers: { range: `bytes=${offset}-${offset + length - 1}` },
      answerBytesMax: Math.max(length, refusalBytesMax),
      signal: this.#signal(signal),
      memory,
    });
    const range = /^bytes (?<first>\d{1,15})-\d{1,15}\/\d{1,15}$/.exec(headers["content-range"] ?? "");
    if (status !== 206 || Number(range?.groups?.first) !== offset || body.length !== length) {
      throw tooShort(key);
    }
    return body;
  }

  async head(key: string, signal?: AbortSignal): Promise<{ readonly bytes: number } | undefined> {
    readKey(key);
    const headers = await this.#head(key, this.#signal(signal));
    if (headers === undefined) return undefined;
    const bytes = Number(headers["content-length"] ?? Number.NaN);
    if (Number.isSafeInteger(bytes)) return { bytes };
    throw new HoldfastError(ErrorCode.replicaRefused, "the peer does not tell an object's size");
  }

  async *list(prefix: string, signal?: AbortSignal): AsyncIterable<StoredObject> {
    checkPrefix(prefix);
    const stop = this.#signal(signal);
    for (let after: string | undefined; ; ) {
      const query = new URLSearchParams({ prefix, ...(after !== undefined && { after }) });
      const { body } = await this.#connection.ask({
        name: "ListObjects",
        method: "GET",
        path: `/v1/peer/objects?${query}`,
        signal: stop,
      });
      const page = parseListAnswer(body, prefix, after);
      yield* page.objects;
      if (page.next === null) return;
      after = page.next;
    }
  }

  async delete(key: string): Promise<"deleted" | "absent" | "locked"> {
    readKey(key);
    try {
      const { body } = await this.#connection.ask({
        name: "DeleteObject",
        method: "DELETE",
        path: `/v1/peer/objects/${key}`,
        signal: this.#signal(undefined),
      });
      return parseDeleteAnswer(body);
    } catch (error) {
      if (isHoldfastError(error, ErrorCode.notFound)) return "absent";
      throw error;
    }
  }

  async receipts(asked: ReceiptRequest, signal?: AbortSignal): Promise<string[]> {
    const { vault, replica, generation, root, snapshots } = asked;
    const json: ReceiptsRequest = { replica, generation, root, snapshots };
    const { body } = await this.#connection.ask({
      name: "Receipts",
      method: "POST",
      path: `/v1/peer/vaults/${vault}/receipts`,
      json,
      // The far end looks for every pack of the root before it answers.
      idleMs: 15 * 60_000,
      signal: this.#signal(signal),
    });
    const receipts = parseReceipts(body, snapshots.length);
    for (const [i, text] of receipts.entries()) checkReceipt(text, this.#signer, asked, snapshots[i]!);
    return receipts;
  }

  async challenge(
    nonce: Uint8Array,
    keys: readonly string[],
    signal?: AbortSignal,
  ): Promise<readonly (Buffer | undefined)[]> {
    for (const key of keys) readKey(key);
    const json: ChallengeRequest = { nonce: toHex(nonce), keys };
    const { body } = await this.#connection.ask({
      name: "Challenge",
      method: "POST",
      path: "/v1/peer/challenge",
      json,
      idleMs: 15 * 60_000,
      signal: this.#signal(signal),
    });
    return parseAnswers(body, keys.length);
  }

  usage(): StoreUsage {
    return this.#connection.usage();
  }

  async close(): Promise<void> {
    this.#connection.close();
  }

  /** @throws HoldfastError cancelled when the store was closed or the caller stopped */
  #signal(signal: AbortSignal | undefined): AbortSignal {
    const either = this.#connection.signalOf(signal);
    if (either.aborted) throw cancelled();
    return either;
  }

  async #head(key: string, signal: AbortSignal): Promise<Record<string, unknown> | undefined> {
    const path = `/v1/peer/objects/${key}`;
    try {
      return (await this.#connection.ask({ name: "HeadObject", method: "HEAD", path, signal })).headers;
    } catch (error) {
      if (isHoldfastError(error, ErrorCode.notFound)) return undefined;
      throw error;
    }
  }

  /** Hex, of the object that is there. */
  async #hash(key: string, signal: AbortSignal): Promise<unknown> {
    return (await this.#head(key, signal))?.[objectHashHeader];
  }

  /** Has the far end show, for some objects, that it has the bytes it just acknowledged. @throws HoldfastError replica-damaged */
  async #challengeSome(key: string, source: ObjectSource, signal: AbortSignal): Promise<void> {
    if (randomInt(this.#challengeOneOf) !== 0) return;
    const nonce = randomBytes(peerLimits.nonceBytes);
    const hmac = createHmac("sha256", nonce);
    for (let at = 0; at < source.bytes; at += pieceBytes) {
      hmac.update(await source.read(at, Math.min(pieceBytes, source.bytes - at)));
    }
    const [answer] = await this.challenge(nonce, [key], signal);
    if (answer?.equals(hmac.digest())) return;
    throw new HoldfastError(
      ErrorCode.replicaDamaged,
      `the peer acknowledged ${key} and ${answer === undefined ? "does not have it" : "has other bytes"}`,
      {
        next: "Do not rely on this peer before its operator has found out why; `holdfast replica verify` reads more.",
      },
    );
  }
}

function tooShort(key: string): HoldfastError {
  return new HoldfastError(ErrorCode.replicaDamaged, `the peer's ${key} is shorter than what was asked for`);
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  const bare =
    url !== null && url.pathname === "/" && url.search === "" && url.username === "" && url.hash === "";
  if (url !== null && bare && url.protocol === "https:") return url;
  throw new HoldfastError(ErrorCode.usage, "a peer's address is https://HOST:PORT and nothing more");
}
