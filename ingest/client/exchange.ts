// One HTTP request and its answer: bodies as lists of buffers, bounded answers, errors as HoldfastError.

import type { IncomingMessage } from "node:http";
import { type Agent, request as httpsRequest, type RequestOptions } from "node:https";
import { giveBackWhole } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import type { Line } from "../line/line.ts";
import type { RateLimiter } from "../line/rateLimiter.ts";
import { octetStream, protocolHeader, protocolVersion, wireLimits } from "../wire/protocol.ts";

export type Exchange = {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Path and query. */
  readonly path: string;
  /** A JSON value, or a binary body in pieces, which are not copied. */
  readonly json?: unknown;
  readonly binary?: readonly Uint8Array[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  /** No byte either way for so long ends it. */
  readonly idleMs?: number;
  /** Lets so many bytes of the body go: asked for piece after piece. */
  readonly pace?: ((bytes: number) => Promise<void>) | undefined;
};

export type Connection = {
  readonly agent: Agent;
  readonly url: URL;
  readonly token: string | undefined;
  /** The newest that this program knows where it is left out. */
  readonly spoken?: { readonly version: number };
  /** How fast bodies go and come. */
  readonly line?: Line | undefined;
};

/** A connection broke or never came about: worth another try where the request allows it. */
export class ConnectionLost extends Error {
  /** The connection was an old one that the gateway had closed meanwhile; the gateway saw nothing of the request. */
  readonly stale: boolean;

  constructor(cause: Error, stale: boolean) {
    super(cause.message, { cause });
    this.stale = stale;
  }
}

const idleMsDefault = 120_000;
/** Small pieces are written together up to this size: each write is a TLS record. */
const gatherBytes = 64 * 1024;
/** Of a body that goes at a pace. */
const pacedBytes = 64 * 1024;
/** Most plaintext that one TLS record holds. */
const tlsRecordBytes = 16 * 1024;

/**
 * Sends a request and resolves with the answer's head; its body is still to be read.
 * @throws ConnectionLost; HoldfastError fingerprint-mismatch, cancelled
 */
export function send(connection: Connection, exchange: Exchange): Promise<IncomingMessage> {
  const { url, token } = connection;
  const json = exchange.json === undefined ? undefined : Buffer.from(JSON.stringify(exchange.json));
  const body = exchange.binary ?? (json === undefined ? [] : [json]);
  const length = body.reduce((sum, piece) => sum + piece.length, 0);
  const options: RequestOptions = {
    agent: connection.agent,
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: Number(url.port || 443),
    method: exchange.method,
    path: exchange.path,
    headers: {
      [protocolHeader]: String(connection.spoken?.version ?? protocolVersion),
      accept: "*/*",
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body.length > 0 && { "content-type": json === undefined ? octetStream : "application/json" }),
      ...((body.length > 0 || exchange.method === "POST") && { "content-length": String(length) }),
      ...exchange.headers,
    },
    timeout: exchange.idleMs ?? idleMsDefault,
    ...(exchange.signal !== undefined && { signal: exchange.signal }),
  };
  return new Promise((resolve, reject) => {
    const request = httpsRequest(options);
    let answered = false;
    request.once("response", (response) => {
      answered = true;
      // Whatever happens to the connection from here on is an error of the answer's body.
      request.on("error", () => {});
      // A refusal before the end of the body: the rest is never sent, so the connection is of no more use.
      response.once("end", () => {
        if (!request.writableEnded) request.destroy();
      });
      resolve(response);
    });
    request.once("timeout", () => request.destroy(new Error("the gateway did not answer in time")));
    request.once("error", (error) => {
      if (answered) return;
      if (exchange.signal?.aborted) reject(cancelled());
      else if (isHoldfastError(error)) reject(error);
      else reject(new ConnectionLost(error, request.reusedSocket === true && isReset(error)));
    });
    void writeBody(request, pacedPieces(connection, exchange, gathered(body)), () => answered).catch(
      (error: Error) => request.destroy(error),
    );
  });
}

function isReset(error: Error): boolean {
  return "code" in error && (error.code === "ECONNRESET" || error.code === "EPIPE");
}

export function cancelled(): HoldfastError {
  return new HoldfastError(ErrorCode.cancelled, "the request was stopped");
}

/**
 * Pieces of a body as they are written: small neighbours put together, with as much of the large piece behind them as fills a
 * TLS record; the rest of a large piece is not copied.
 */
function gathered(body: readonly Uint8Array[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  let bytes = 0;
  const flush = (): void => {
    if (small.length > 0) pieces.push(small.length === 1 ? small[0]! : Buffer.concat(small, bytes));
    small = [];
    bytes = 0;
  };
  for (const piece of body) {
    if (bytes + piece.length > gatherBytes && piece.length < gatherBytes) flush();
    let from = 0;
    if (piece.length >= gatherBytes) {
      if (bytes > 0) {
        from = tlsRecordBytes - (bytes % tlsRecordBytes);
        small.push(piece.subarray(0, from));
        bytes += from;
      }
      flush();
      pieces.push(piece.subarray(from));
      continue;
    }
    small.push(piece);
    bytes += piece.length;
  }
  flush();
  return pieces;
}

/** Pieces no larger than may go at once, each when it may. */
async function* pacedPieces(
  { line }: Connection,
  { pace, signal }: Exchange,
  pieces: readonly Uint8Array[],
): AsyncIterable<Uint8Array> {
  const uploads = line?.uploads;
  if (uploads === undefined && pace === undefined) {
    yield* pieces;
    return;
  }
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const part = piece.subarray(at, at + (uploads?.pieceBytes() ?? pacedBytes));
      at += part.length;
      await uploads?.take(part.length, signal);
      await pace?.(part.length);
      yield part;
    }
  }
}

/**
 * Writes piece after piece, each when the one before is under way: Node would copy what waits together into one
 * buffer before it encrypts it.
 */
async function writeBody(
  request: ReturnType<typeof httpsRequest>,
  pieces: AsyncIterable<Uint8Array>,
  answered: () => boolean,
): Promise<void> {
  for await (const piece of pieces) {
    // An answer before the end of the body is a refusal: the rest need not be sent.
    if (request.destroyed || answered()) return;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        request.off("close", go);
        request.off("response", go);
        resolve();
      };
      request.once("close", go);
      request.once("response", go);
      request.write(piece, go);
    });
  }
  if (!request.destroyed) request.end();
}

/**
 * Reads an answer's body of at most `bytesMax` bytes, into `memory` where that is given.
 * @throws ConnectionLost; HoldfastError protocol when it is longer, cancelled
 */
export async function readBody(
  response: IncomingMessage,
  signal: AbortSignal | undefined,
  bytesMax: number = wireLimits.answerBytes,
  downloads?: RateLimiter,
  memory?: (bytes: number) => Buffer,
): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const piece of arriving(response, downloads, signal)) {
      bytes += piece.length;
      if (bytes > bytesMax) {
        throw new HoldfastError(ErrorCode.protocol, `the gateway's answer is longer than ${bytesMax} bytes`);
      }
      pieces.push(piece);
    }
  } catch (error) {
    throw bodyFailure(error, signal);
  }
  if (!response.complete) throw new ConnectionLost(new Error("the answer was cut short"), false);
  if (memory !== undefined) return joined(pieces, memory(bytes));
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
}

/** The pieces in `into`, which has their length; their own memory is given back where it holds nothing else. */
function joined(pieces: readonly Buffer[], into: Buffer): Buffer {
  let at = 0;
  for (const piece of pieces) {
    at += piece.copy(into, at);
    giveBackWhole(piece);
  }
  return into;
}

/** The pieces of a body; the next is read when it may come, and the other side is held back until then. */
export function arriving(
  response: IncomingMessage,
  downloads: RateLimiter | undefined,
  signal: AbortSignal | undefined,
): AsyncIterable<Buffer> {
  return downloads === undefined ? response : arrivingSlowly(response, downloads, signal);
}

async function* arrivingSlowly(
  response: AsyncIterable<Buffer>,
  downloads: RateLimiter,
  signal: AbortSignal | undefined,
): AsyncIterable<Buffer> {
  for await (const piece of response) {
    await downloads.take(piece.length, signal);
    yield piece;
  }
}

/** What a failure while reading a body means. */
export function bodyFailure(error: unknown, signal: AbortSignal | undefined): Error {
  if (signal?.aborted) return cancelled();
  if (isHoldfastError(error) || error instanceof ConnectionLost) return error;
  return new ConnectionLost(error as Error, false);
}

const knownCodes: readonly string[] = Object.values(ErrorCode);

/** The error that an answer of status 400 or more carries. */
export function errorOf(status: number, body: Buffer): HoldfastError {
  let error: { code?: unknown; message?: unknown; next?: unknown; detail?: unknown } | undefined;
  try {
    error = (JSON.parse(body.toString("utf8")) as { error?: typeof error }).error;
  } catch {
    // Not our JSON: something between answers for the gateway.
  }
  if (error === undefined || typeof error.code !== "string" || !knownCodes.includes(error.code)) {
    return new HoldfastError(
      ErrorCode.protocol,
      `the gateway answered HTTP ${status} without one of its error codes`,
    );
  }
  return new HoldfastError(
    error.code as ErrorCode,
    typeof error.message === "string" ? error.message : error.code,
    {
      ...(typeof error.next === "string" && { next: error.next }),
      ...(isDetail(error.detail) && { detail: error.detail }),
    },
  );
}

function isDetail(value: unknown): value is Record<string, string | number | boolean | readonly string[]> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.values(value).every(
    (each) =>
      ["string", "number", "boolean"].includes(typeof each) ||
      (Array.isArray(each) && each.every((one) => typeof one === "string")),
  );
}
