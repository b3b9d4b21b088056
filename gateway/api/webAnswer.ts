// Sends the answer of a web front (fs/view/webPort.ts): held back by the client's own speed, cut when it fails in the middle.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Logger } from "pino";
import type { WebAnswer } from "../../fs/view/webPort.ts";
import { giveBack } from "../../vault/bytes.ts";
import { drained } from "./drained.ts";

/** Of a body that nobody wanted: so much is read and dropped before the answer, so that the connection stays usable ... */
const droppedFirstBytesMax = 2 ** 20;
/** ... and so much after it, because a client that still sends would lose the answer to a reset. */
const droppedLaterBytesMax = 16 * 2 ** 20;

export type Sending = {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** Looked at before each piece: false cuts the answer off. */
  readonly mayGoOn: () => boolean;
};

/** Never throws. */
export async function sendAnswer(sending: Sending, answer: WebAnswer): Promise<void> {
  const { request, response, signal, log } = sending;
  try {
    await drop(request, droppedFirstBytesMax);
    if (answer.failure !== undefined)
      log.warn({ err: answer.failure, status: answer.status }, "WebDAV answer failed");
    await send(sending, answer);
  } catch (error) {
    if (!signal.aborted) log.warn({ err: error }, "WebDAV answer was cut off");
    response.destroy();
  }
}

async function send({ request, response, signal, mayGoOn }: Sending, answer: WebAnswer): Promise<void> {
  const { status, reason, headers, body, ownsBody } = answer;
  // Collected late, what was sent would make V8 collect its whole heap again and again.
  const sent = (piece: Buffer | undefined) => (error?: Error | null) => {
    if (ownsBody && piece !== undefined && !error) giveBack(piece);
  };
  const whole = Buffer.isBuffer(body) || body === undefined;
  const head: Record<string, string> = { ...headers };
  if (Buffer.isBuffer(body)) head["content-length"] = String(body.length);
  if (!request.complete) head.connection = "close";
  if (reason === undefined) response.writeHead(status, head);
  else response.writeHead(status, reason, head);
  if (whole) {
    if (request.complete) response.end(body, sent(body));
    else {
      if (body !== undefined) response.write(body);
      await drop(request, droppedLaterBytesMax);
      response.end();
    }
    return;
  }
  for await (const piece of body) {
    if (!mayGoOn()) throw new Error("the app password was revoked, or has expired");
    if (signal.aborted) return;
    if (!response.write(piece, sent(piece))) await drained(response, signal);
  }
  response.end();
}

/** Reads the rest of a body and forgets it, up to a bound. */
function drop(request: IncomingMessage, bytesMax: number): Promise<void> {
  if (request.complete || request.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let left = bytesMax;
    const take = (piece: Buffer): void => {
      left -= piece.length;
      if (left < 0) done();
    };
    const done = (): void => {
      request.off("data", take).off("end", done).off("close", done).off("error", done);
      request.pause();
      resolve();
    };
    request.on("data", take).once("end", done).once("close", done).once("error", done);
    request.resume();
  });
}
