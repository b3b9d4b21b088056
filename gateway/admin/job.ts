// Long work that an administrator starts and watches: replication, verifying, evicting, scrubbing. In this process it is a call; over
// the admin socket its answer is one JSON object a line: progress while it runs, then the result or the error.

import { request as httpRequest, type IncomingMessage } from "node:http";
import { createInterface } from "node:readline";
import { errorOf } from "../../ingest/client/exchange.ts";
import type { ErrorBody } from "../../ingest/wire/messages.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

/** What the one who watches gives: where progress goes, and how to stop. */
export type JobWatch<Progress> = {
  readonly onProgress: (progress: Progress) => void;
  readonly signal: AbortSignal;
};

/** A line of the stream. */
export type JobLine<Progress, Result> =
  | { readonly progress: Progress }
  | { readonly result: Result }
  | ErrorBody;

/**
 * Starts a job of the gateway behind an admin socket and follows it. Closing the connection, which the signal does, stops it there.
 * @throws HoldfastError gateway-unreachable, cancelled, and what the job fails with
 */
export async function followJob<Progress, Result>(
  socketPath: string,
  path: string,
  json: object,
  watch: JobWatch<Progress>,
): Promise<Result> {
  const response = await post(socketPath, path, Buffer.from(JSON.stringify(json)), watch.signal);
  const status = response.statusCode ?? 0;
  if (status >= 400) throw errorOf(status, Buffer.concat(await response.toArray()));
  const lines = createInterface({ input: response });
  try {
    for await (const text of lines) {
      const line = JSON.parse(text) as JobLine<Progress, Result>;
      if ("progress" in line) watch.onProgress(line.progress);
      else if ("result" in line) return line.result;
      else throw errorOf(500, Buffer.from(text));
    }
  } catch (error) {
    throw failureOf(error, watch.signal, socketPath);
  } finally {
    lines.close();
    response.destroy();
  }
  throw failureOf(new Error("the answer ended early"), watch.signal, socketPath);
}

function post(socketPath: string, path: string, body: Buffer, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      socketPath,
      method: "POST",
      path,
      headers: { "content-type": "application/json", "content-length": body.length },
      signal,
    });
    request.on("error", (error) => reject(failureOf(error, signal, socketPath)));
    request.once("response", resolve);
    request.end(body);
  });
}

function failureOf(error: unknown, signal: AbortSignal, socketPath: string): Error {
  if (signal.aborted) return new HoldfastError(ErrorCode.cancelled, "stopped");
  if (error instanceof HoldfastError) return error;
  return new HoldfastError(
    ErrorCode.gatewayUnreachable,
    `the gateway at ${socketPath} does not answer any more`,
    {
      next: "Start it with `holdfast gateway run --data DIR` and run this again: it goes on where it stopped.",
      cause: error,
    },
  );
}
