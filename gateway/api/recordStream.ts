// The body of a `read` answer: records as they come from disk, held back by the client's own speed.

import type { ServerResponse } from "node:http";
import type { FastifyBaseLogger } from "fastify";
import { octetStream } from "../../ingest/wire/protocol.ts";
import { encodePromised, encodeReadLength, ReadSign } from "../../ingest/wire/readStream.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { isOutage } from "../cache/replicaStores.ts";
import { promisingBox } from "../seed/promisedError.ts";
import type { ReadOutcome } from "../store/packReader.ts";
import { drained } from "./drained.ts";

/** Answers that are being read from disk at a time; each holds some MiB. */
const slotsMax = 8;
/** Small records are gathered to pieces of this size before they are written. */
const gatherBytes = 64 * 1024;

/** Bounds the memory of all `read` answers together. First come, first served. */
export class ReadSlots {
  #free = slotsMax;
  readonly #waiting: (() => void)[] = [];

  /** @throws HoldfastError cancelled when `signal` fires first */
  async take(signal: AbortSignal): Promise<void> {
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const give = (): void => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
      const abort = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(give), 1);
        reject(new HoldfastError(ErrorCode.cancelled, "the client went away"));
      };
      this.#waiting.push(give);
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  free(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}

export type Answering = {
  readonly response: ServerResponse;
  readonly records: AsyncGenerator<ReadOutcome | undefined>;
  /** What the log says of the record at this place in the answer when it cannot be read. */
  readonly about: (index: number) => Record<string, unknown>;
  readonly log: FastifyBaseLogger;
  readonly signal: AbortSignal;
};

/** Writes records in order and ends the response. A failure cuts the connection: the client sees a truncated answer. */
export async function sendRecords({ response, records, about, log, signal }: Answering): Promise<void> {
  response.writeHead(200, { "content-type": octetStream });
  let pieces: Buffer[] = [];
  let bytes = 0;
  let index = 0;
  /** What waits goes out together: each write of its own costs a TLS record, and wakes the other side. */
  const write = (): boolean => {
    let takesMore = true;
    response.cork();
    for (const piece of pieces) takesMore = response.write(piece);
    response.uncork();
    pieces = [];
    bytes = 0;
    return takesMore;
  };
  try {
    for await (const outcome of records) {
      if (signal.aborted) return;
      if (outcome instanceof HoldfastError && promisingBox(outcome) === undefined) {
        const { code, message, detail } = outcome;
        log.warn({ code, why: message, ...detail, ...about(index) }, "record cannot be read");
      }
      index++;
      if (bytes >= gatherBytes && !write()) await drained(response, signal);
      for (const piece of answerFor(outcome)) {
        pieces.push(piece);
        bytes += piece.length;
      }
    }
    // The end of the body with the last of it.
    const { socket } = response;
    socket?.cork();
    write();
    response.end();
    socket?.uncork();
  } catch (error) {
    if (!signal.aborted) log.error({ err: error }, "read answer failed");
    response.destroy();
  }
}

/** The pieces of one id's answer: a sign, or a length and the record. */
function answerFor(outcome: ReadOutcome | undefined): readonly Buffer[] {
  if (outcome === undefined) return [encodeReadLength(ReadSign.missing)];
  const box = promisingBox(outcome);
  if (box !== undefined) return [encodePromised(box)];
  if (isOutage(outcome)) return [encodeReadLength(ReadSign.unavailable)];
  if (outcome instanceof HoldfastError) return [encodeReadLength(ReadSign.damaged)];
  return [encodeReadLength(outcome.length), outcome];
}
