// Feeds a request's body into a RecordIntake as it arrives, and holds the client back while the intake is busy.

import type { IncomingMessage } from "node:http";
import type { RecordIntake } from "../../ingest/session/recordIntake.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

/**
 * Resolves when the whole body was taken. Events instead of an async iterator: a body is thousands of small pieces.
 * @throws what the intake throws; truncated when the connection breaks
 */
export function takeBody(request: IncomingMessage, intake: RecordIntake): Promise<void> {
  return new Promise((resolve, reject) => {
    let busy: Promise<void> | undefined;
    let ended = false;
    const stop = (error?: unknown): void => {
      request.off("data", take);
      request.off("end", end);
      request.off("error", broken);
      request.off("close", broken);
      intake.onGiveWay = undefined;
      // What still comes is thrown away, so that the client can read the answer.
      request.resume();
      if (error === undefined) resolve();
      else if (busy === undefined) reject(error);
      else void busy.finally(() => reject(error));
    };
    const take = (chunk: Buffer): void => {
      try {
        busy = intake.push(chunk);
      } catch (error) {
        stop(error);
        return;
      }
      if (busy === undefined) return;
      request.pause();
      busy.then(
        () => {
          busy = undefined;
          if (ended) stop();
          else request.resume();
        },
        (error: unknown) => {
          busy = undefined;
          stop(error);
        },
      );
    };
    const end = (): void => {
      ended = true;
      if (busy === undefined) stop();
    };
    const broken = (): void => {
      if (!ended) stop(new HoldfastError(ErrorCode.truncated, "the connection broke within the body"));
    };
    intake.onGiveWay = stop;
    request.on("data", take);
    request.once("end", end);
    request.once("error", broken);
    request.once("close", broken);
  });
}
