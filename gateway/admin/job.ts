// Long work that an administrator starts and watches: replication, verifying, evicting, scrubbing, boxes. In this process it is a call;
// over the admin socket its answer is one JSON object a line: the job's id, progress while it runs, then the result or the error.
//
// Invariant: who asks a job to stop hears what became of it. One that was past the point at which it can be stopped answers its result.

import type { IncomingMessage } from "node:http";
import { createInterface } from "node:readline";
import { errorOf } from "../../ingest/client/exchange.ts";
import type { ErrorBody } from "../../ingest/wire/messages.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { requestSocket } from "./adminSocket.ts";

/** What the one who watches gives: where progress goes, and how to stop. */
export type JobWatch<Progress> = {
  readonly onProgress: (progress: Progress) => void;
  readonly signal: AbortSignal;
};

/** A line of the stream. `job` comes first: it is what `stopPath` is asked with. */
export type JobLine<Progress, Result> =
  | { readonly job: string }
  | { readonly progress: Progress }
  | { readonly result: Result }
  | ErrorBody;

/** `POST {"job"}`: the job is asked to stop. */
export const stopPath = "/jobs/stop";

/**
 * Starts a job of the gateway behind an admin socket and follows it. The signal asks it to stop; closing the connection does, too.
 * @throws HoldfastError gateway-unreachable, cancelled, and what the job fails with
 */
export async function followJob<Progress, Result>(
  socketPath: string,
  path: string,
  json: object,
  { onProgress, signal }: JobWatch<Progress>,
): Promise<Result> {
  const failed = (error: unknown): Error => failureOf(error, signal, socketPath);
  const response = await post(socketPath, path, json, signal).catch((error: unknown) => {
    throw failed(error);
  });
  const status = response.statusCode ?? 0;
  if (status >= 400) throw errorOf(status, Buffer.concat(await response.toArray()));
  const lines = createInterface({ input: response });
  let stop = (): void => {};
  try {
    for await (const text of lines) {
      const line = JSON.parse(text) as JobLine<Progress, Result>;
      if ("job" in line) {
        const { job } = line;
        stop = () => void askToStop(socketPath, job).catch(() => response.destroy());
        if (signal.aborted) stop();
        else signal.addEventListener("abort", stop, { once: true });
      } else if ("progress" in line) onProgress(line.progress);
      else if ("result" in line) return line.result;
      else throw errorOf(500, Buffer.from(text));
    }
  } catch (error) {
    throw failed(error);
  } finally {
    signal.removeEventListener("abort", stop);
    lines.close();
    response.destroy();
  }
  throw failed(new Error("the answer ended early"));
}

async function askToStop(socketPath: string, job: string): Promise<void> {
  const response = await post(socketPath, stopPath, { job });
  response.resume();
}

/** `signal`: until the answer begins. */
function post(
  socketPath: string,
  path: string,
  json: object,
  signal?: AbortSignal,
): Promise<IncomingMessage> {
  const body = Buffer.from(JSON.stringify(json));
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": body.length };
    const request = requestSocket(socketPath, { method: "POST", path, headers });
    const give = (): void => void request.destroy(new Error("stopped"));
    signal?.addEventListener("abort", give, { once: true });
    request.on("error", reject);
    request.once("response", (response) => {
      signal?.removeEventListener("abort", give);
      resolve(response);
    });
    if (signal?.aborted) give();
    else request.end(body);
  });
}

function failureOf(error: unknown, signal: AbortSignal, socketPath: string): Error {
  // What stopped it is known here: the gateway was only asked.
  const stopped = signal.aborted && (!isHoldfastError(error) || error.code === ErrorCode.cancelled);
  if (stopped && isHoldfastError(signal.reason)) return signal.reason;
  if (stopped) return new HoldfastError(ErrorCode.cancelled, "stopped");
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
