// The answer of `read`, taken in as it arrives.

import type { IncomingMessage } from "node:http";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { RateLimiter } from "../line/rateLimiter.ts";
import { type ReadResult, ReadStreamParser } from "../wire/readStream.ts";
import { arriving, bodyFailure, ConnectionLost } from "./exchange.ts";

/**
 * All results of an answer to `count` ids, in the order asked, without a turn of the event loop for each piece that arrives.
 * @throws HoldfastError gateway-unreachable, truncated, limit-exceeded, corrupt, protocol, cancelled
 */
export async function readResults(
  response: IncomingMessage,
  count: number,
  signal: AbortSignal | undefined,
): Promise<ReadResult[]> {
  const parser = new ReadStreamParser(count);
  const results: ReadResult[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      response.on("data", (piece: Buffer) => {
        try {
          for (const result of parser.push(piece)) results.push(result);
        } catch (error) {
          reject(error);
          response.destroy();
        }
      });
      response.once("end", resolve);
      response.once("error", reject);
      response.once("close", () => reject(new Error("the answer was cut short")));
    });
    parser.finish();
  } catch (thrown) {
    throw readFailure(thrown, signal);
  } finally {
    response.destroy();
  }
  return results;
}

/** The same one by one as they arrive; the gateway is held back while the caller is busy. */
export async function* readPieces(
  response: IncomingMessage,
  count: number,
  signal: AbortSignal | undefined,
  downloads?: RateLimiter,
): AsyncGenerator<ReadResult, void, undefined> {
  const parser = new ReadStreamParser(count);
  try {
    for await (const piece of arriving(response, downloads, signal)) yield* parser.push(piece);
    parser.finish();
  } catch (thrown) {
    throw readFailure(thrown, signal);
  } finally {
    response.destroy();
  }
}

/** What a failure while reading an answer of records means. */
function readFailure(thrown: unknown, signal: AbortSignal | undefined): Error {
  const error = bodyFailure(thrown, signal);
  if (!(error instanceof ConnectionLost)) return error;
  const message = `the connection broke while reading: ${error.message}`;
  return new HoldfastError(ErrorCode.gatewayUnreachable, message, { cause: error });
}
