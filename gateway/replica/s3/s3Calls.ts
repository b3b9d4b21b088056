// Calls of one bucket: the SDK's client with our transport, our retries, our errors and our counting.
//
// Invariants
// - The SDK is loaded when the first S3 replica is opened, not before: it is large.
// - The SDK itself never tries again and never logs.
// - After `close`, calls end with `cancelled`.

import { readFile } from "node:fs/promises";
import type * as Sdk from "@aws-sdk/client-s3";
import type { Proxies } from "../../../ingest/line/proxies.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { Replica } from "../../catalog/replicas.ts";
import type { Memory, StoreUsage } from "../replicaStore.ts";
import { type AttemptTuning, cancelled, TriesEnded, tryRepeatedly, usualAttempts } from "./attempts.ts";
import { type Body, SourceFailure } from "./bodies.ts";
import { credentialSource, regionOf } from "./credentials.ts";
import { codeOf, finalError, isWorthAnotherTry, refusal, statusOf } from "./s3Errors.ts";
import { parseS3Url, type S3Place } from "./s3Url.ts";
import { type CallOptions, Transport, type TransportTuning, usualTuning } from "./transport.ts";

/** What opening a bucket needs from outside. */
export type S3Context = {
  readonly now: () => Date;
  /** Environment variables (AWS_ACCESS_KEY_ID, AWS_REGION, ...). */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Undefined: straight. */
  readonly proxies?: Proxies | undefined;
  /** Other bounds than the usual ones. */
  readonly tuning?: Partial<TransportTuning & AttemptTuning>;
};

export type CallSettings = {
  /** Name of the request, for counting and messages. */
  readonly name: string;
  /** Key of the object, for messages. */
  readonly key?: string;
  readonly signal?: AbortSignal | undefined;
  readonly body?: Pick<Body, "slices"> | undefined;
  readonly answerBytesMax?: number;
  /** Where an answer with a declared length is to come. */
  readonly memory?: Memory | undefined;
  /** HTTP statuses that the caller handles. */
  readonly expected?: readonly number[];
  /** Whether these are answers even where another try would be made: refused checksums, which a probe provokes. */
  readonly takesRefusals?: boolean;
};

/** What came of a call. `lostBefore`: an earlier try may have been carried out. */
export type CallResult<T> = { readonly lostBefore: boolean } & (
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly status: number; readonly code: string }
);

/** Runs one request with the SDK's client. */
type Send<T> = (client: Sdk.S3Client, options: object) => Promise<T>;

/** For so long a bucket that answered is believed to be there when it says that an object is not. */
const bucketSeenMs = 30_000;

export class S3Calls {
  readonly url: string;
  readonly place: S3Place;
  readonly sdk: typeof Sdk;
  readonly now: () => Date;
  readonly #client: Sdk.S3Client;
  readonly #transport: Transport;
  readonly #tuning: AttemptTuning;
  readonly #closing = new AbortController();
  readonly #requests: Record<string, number> = {};
  #retries = 0;
  /** When the bucket answered last, by performance.now(). */
  #seenMs = Number.NEGATIVE_INFINITY;

  constructor(url: string, sdk: typeof Sdk, config: Sdk.S3ClientConfig, context: S3Context, ca?: string) {
    this.url = url;
    this.place = parseS3Url(url);
    this.sdk = sdk;
    this.now = context.now;
    this.#tuning = { ...usualAttempts, ...context.tuning };
    this.#transport = new Transport({ ...usualTuning, ...context.tuning }, ca, context.proxies);
    this.#client = new sdk.S3Client({
      ...config,
      requestHandler: this.#transport as unknown as NonNullable<Sdk.S3ClientConfig["requestHandler"]>,
      maxAttempts: 1,
      requestChecksumCalculation: "WHEN_REQUIRED",
      responseChecksumValidation: "WHEN_REQUIRED",
    });
  }

  /** Bucket and key of an object. */
  where(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.place.bucket, Key: this.place.prefix + key };
  }

  /**
   * Runs a request, again where that may help.
   * @throws HoldfastError replica-unreachable, replica-refused, replica-full, cancelled; a source's own error
   */
  async run<T>(settings: CallSettings, send: Send<T>): Promise<CallResult<T>> {
    const { name, key, body, expected = [] } = settings;
    const signals = [this.#closing.signal, ...(settings.signal === undefined ? [] : [settings.signal])];
    const signal = AbortSignal.any(signals);
    const options: CallOptions = {
      abortSignal: signal,
      slices: body === undefined ? undefined : () => body.slices(),
      answerBytesMax: settings.answerBytesMax,
      memory: settings.memory,
    };
    const attempt = () => {
      this.#requests[name] = (this.#requests[name] ?? 0) + 1;
      return send(this.#client, options);
    };
    const isWorth = (error: unknown) =>
      isWorthAnotherTry(error) && !(settings.takesRefusals && expected.includes(statusOf(error) ?? 0));
    try {
      const tried = await tryRepeatedly(this.#tuning, signal, attempt, isWorth, () => {
        this.#retries++;
      });
      this.#seenMs = performance.now();
      return { ok: true, ...tried };
    } catch (error) {
      if (!(error instanceof TriesEnded)) throw error;
      const { last, lostBefore } = error;
      if (last instanceof SourceFailure) throw last;
      const status = statusOf(last);
      const code = codeOf(last);
      if (status !== undefined && expected.includes(status) && code !== "NoSuchBucket") {
        return { ok: false, status, code, lostBefore };
      }
      throw finalError(last, key === undefined ? name : `${name} ${key}`, this.url);
    }
  }

  /** Whether the bucket was surely there a short while ago. */
  bucketSeenLately(): boolean {
    return performance.now() - this.#seenMs < bucketSeenMs;
  }

  /** The server's clock, by its last answer, minus ours. */
  clockSkewMs(): number {
    const skew = Date.parse(this.#transport.serverDate) - this.now().getTime();
    return Number.isNaN(skew) ? 0 : skew;
  }

  /** A refusal in this replica's name. */
  refusal(code: string, words: string): HoldfastError {
    return refusal(code, `${this.url}: ${words}`);
  }

  /** Ends with `cancelled` once the store is closed. */
  checkOpen(signal?: AbortSignal): void {
    if (this.#closing.signal.aborted || signal?.aborted) throw cancelled(signal?.reason);
  }

  usage(): StoreUsage {
    return { requests: { ...this.#requests }, ...this.#transport.traffic, retries: this.#retries };
  }

  close(): void {
    this.#closing.abort();
    this.#transport.destroy();
  }
}

/**
 * Loads the SDK and makes ready to call a bucket. Asks the server nothing.
 * @throws HoldfastError usage, replica-refused (files that cannot be read)
 */
export async function openS3Calls(
  { url, options }: Pick<Replica, "url" | "options">,
  context: S3Context,
): Promise<S3Calls> {
  parseS3Url(url);
  const { endpoint, caFile } = options;
  if (endpoint !== undefined) checkEndpoint(endpoint);
  const ca = caFile === undefined ? undefined : await readCa(caFile);
  const credentials = credentialSource(options, context.environment);
  const sdk = await import("@aws-sdk/client-s3");
  const config: Sdk.S3ClientConfig = {
    region: await regionOf(options, context.environment),
    forcePathStyle: options.pathStyle ?? endpoint !== undefined,
    ...(endpoint !== undefined && { endpoint }),
    ...(options.profile !== undefined && { profile: options.profile }),
    ...(credentials !== undefined && { credentials }),
  };
  return new S3Calls(url, sdk, config, context, ca);
}

function checkEndpoint(endpoint: string): void {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const fine =
    url !== undefined &&
    /^https?:$/.test(url.protocol) &&
    url.username === "" &&
    url.password === "" &&
    url.search === "";
  if (fine) return;
  throw new HoldfastError(
    ErrorCode.usage,
    "not an endpoint: an address with https:// or http:// is needed, without keys in it",
  );
}

async function readCa(path: string): Promise<string> {
  try {
    const text = await readFile(path, "utf8");
    if (!text.includes("-----BEGIN CERTIFICATE-----")) throw new Error("it has no PEM certificate");
    return text;
  } catch (error) {
    throw new HoldfastError(
      ErrorCode.replicaRefused,
      `cannot use the certificates of ${path}: ${(error as Error).message}`,
      {
        next: "Give a PEM file with the certificate of the server's authority.",
        detail: { path },
      },
    );
  }
}
