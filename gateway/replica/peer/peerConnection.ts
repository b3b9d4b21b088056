// Requests to a peer: counted, repeated with growing, spread pauses while that is worth it, and their failures in the words of replicas.

import { setMaxListeners } from "node:events";
import type { IncomingMessage } from "node:http";
import {
  type Connection,
  ConnectionLost,
  cancelled,
  type Exchange,
  errorOf,
  readBody,
  send,
} from "../../../ingest/client/exchange.ts";
import { PinnedAgent } from "../../../ingest/client/pinnedAgent.ts";
import { pauseBeforeRetry } from "../../../ingest/client/retry.ts";
import type { Line } from "../../../ingest/line/line.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import type { Memory, StoreUsage } from "../replicaStore.ts";
import { TimeLimit } from "./timeLimit.ts";

export type PeerRequest = Exchange & {
  /** What it is counted as. */
  readonly name: string;
  /** Bytes of its body. */
  readonly sends?: number;
  /** Called before each try that sends bytes. */
  readonly tried?: () => void;
  /** Called before each piece of them. */
  readonly throttle?: ((bytes: number) => Promise<void>) | undefined;
  readonly answerBytesMax?: number;
  /** Where a part of an object (206) goes. */
  readonly memory?: Memory | undefined;
};

export type PeerAnswer = {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
  /** Tries that it took: after more than one, an earlier one may have been done without our knowing. */
  readonly tries: number;
};

export type PeerConnectionOptions = {
  readonly url: URL;
  readonly fingerprint: string;
  readonly token: string;
  /** Connections at a time. */
  readonly socketsMax: number;
  readonly triesMax: number;
  /** A connection on which nothing moves for so long is given up, milliseconds. */
  readonly idleMs: number;
  readonly line?: Line | undefined;
};

/** A body that goes or comes more slowly than this, from the whole of it, is given up: a peer that drips must not hold us for ever. */
const bytesPerSecondMin = 8 * 1024;

/** Codes that pass as they are; what they mean is the caller's. */
const passing: readonly ErrorCode[] = [
  ErrorCode.notFound,
  ErrorCode.exists,
  ErrorCode.corrupt,
  ErrorCode.cancelled,
  ErrorCode.sequenceConflict,
  ErrorCode.replicaUnreachable,
  ErrorCode.replicaFull,
  ErrorCode.replicaDamaged,
];

/** Answers of HEAD have no body to tell. */
const codeOfStatus: Readonly<Record<number, ErrorCode>> = {
  400: ErrorCode.usage,
  401: ErrorCode.tokenInvalid,
  403: ErrorCode.forbidden,
  404: ErrorCode.notFound,
};

export class PeerConnection {
  readonly origin: string;
  readonly #connection: Connection;
  readonly #triesMax: number;
  readonly #idleMs: number;
  readonly #closing = new AbortController();
  readonly #requests: Record<string, number> = {};
  #sentBytes = 0;
  #receivedBytes = 0;
  #retries = 0;

  constructor(options: PeerConnectionOptions) {
    const { url, fingerprint, token, socketsMax, triesMax, idleMs, line } = options;
    this.origin = url.origin;
    const agent = new PinnedAgent({ fingerprint, socketsMax, connectTimeoutMs: 15_000, line });
    this.#connection = { agent, url, token };
    this.#triesMax = triesMax;
    this.#idleMs = idleMs;
    setMaxListeners(0, this.#closing.signal);
  }

  usage(): StoreUsage {
    return {
      requests: { ...this.#requests },
      sentBytes: this.#sentBytes,
      receivedBytes: this.#receivedBytes,
      retries: this.#retries,
    };
  }

  /** Fires when the caller's does, or at the end of the store. */
  signalOf(signal: AbortSignal | undefined): AbortSignal {
    return signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
  }

  close(): void {
    this.#closing.abort();
    this.#connection.agent.destroy();
  }

  /**
   * Sends a request, again where that helps, and reads its answer of status below 400 (or 416).
   * @throws HoldfastError replica-unreachable, replica-refused, replica-full, replica-damaged, not-found, exists, corrupt, sequence-conflict, cancelled
   */
  async ask(request: PeerRequest): Promise<PeerAnswer> {
    for (let tries = 1; ; tries++) {
      try {
        return { ...(await this.#try(request)), tries };
      } catch (error) {
        try {
          await pauseBeforeRetry(error, { request, tries, triesMax: this.#triesMax, origin: this.origin });
        } catch (final) {
          throw this.#failure(final);
        }
        this.#retries++;
      }
    }
  }

  async #try(request: PeerRequest): Promise<Omit<PeerAnswer, "tries">> {
    const { signal, name, sends = 0, tried } = request;
    if (signal?.aborted) throw cancelled();
    if (sends > 0) tried?.();
    this.#requests[name] = (this.#requests[name] ?? 0) + 1;
    this.#sentBytes += sends;
    const { response, body } = await this.#exchange(request);
    const status = response.statusCode ?? 0;
    if (status < 400 || status === 416) return { status, headers: response.headers, body };
    throw refusal(request, status, body);
  }

  /** One exchange, within the time that its bytes may take. */
  async #exchange(request: PeerRequest): Promise<{ response: IncomingMessage; body: Buffer }> {
    const { sends = 0, answerBytesMax = 0, idleMs = this.#idleMs, throttle } = request;
    const bytesMs = ((sends + answerBytesMax) * 1000) / bytesPerSecondMin;
    const limit = new TimeLimit(idleMs + Math.ceil(bytesMs));
    const signals = request.signal === undefined ? [limit.signal] : [limit.signal, request.signal];
    const signal = AbortSignal.any(signals);
    const pace = throttle && ((bytes: number) => limit.while(throttle(bytes)));
    try {
      const response = await send(this.#connection, { ...request, idleMs, signal, pace });
      const memory = response.statusCode === 206 ? request.memory : undefined;
      const body = await readBody(response, signal, request.answerBytesMax, undefined, memory);
      this.#receivedBytes += body.length;
      return { response, body };
    } catch (error) {
      if (!limit.signal.aborted || request.signal?.aborted === true) throw error;
      throw new ConnectionLost(new Error("it took too long"), false);
    } finally {
      limit.end();
    }
  }

  /** In the words of replicas. */
  #failure(error: unknown): unknown {
    if (!isHoldfastError(error) || passing.includes(error.code)) return error;
    const { message, next, detail } = error;
    const more = { ...(next !== undefined && { next }), detail, cause: error };
    if (error.code === ErrorCode.gatewayUnreachable || error.code === ErrorCode.busy) {
      return new HoldfastError(
        ErrorCode.replicaUnreachable,
        `the peer at ${this.origin} does not answer: ${message}`,
        {
          next: "Check the network and the far gateway; this is tried again by itself.",
          detail,
          cause: error,
        },
      );
    }
    return new HoldfastError(
      ErrorCode.replicaRefused,
      `the peer at ${this.origin} refused: ${message}`,
      more,
    );
  }
}

/** What an answer of status 400 or more is; ConnectionLost for one that is worth another try. */
function refusal(request: PeerRequest, status: number, body: Buffer): Error {
  const error = errorOf(status, body);
  const told = error.code !== ErrorCode.protocol;
  // Between us and the peer there may be a proxy with words of its own; a gateway that stops answers "cancelled".
  const passes = told
    ? error.code === ErrorCode.cancelled ||
      error.code === ErrorCode.internal ||
      error.code === ErrorCode.ioError
    : status >= 500 || status === 429;
  if (passes) return new ConnectionLost(new Error(error.message), false);
  const code = request.method === "HEAD" ? codeOfStatus[status] : undefined;
  if (code === ErrorCode.tokenInvalid) {
    return new HoldfastError(code, "it does not know our token", {
      next: "Ask whoever runs the far gateway for a new token file (`holdfast peer rotate`).",
    });
  }
  return code === undefined ? error : new HoldfastError(code, `HTTP ${status}`);
}
