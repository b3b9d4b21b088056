// Waiting for a client that takes what it was sent more slowly than it is made.

import type { ServerResponse } from "node:http";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

/** Resolves when a response takes more again. @throws HoldfastError cancelled when `signal` fires first */
export function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      signal.removeEventListener("abort", gone);
      response.off("drain", done);
      resolve();
    };
    const gone = (): void => {
      response.off("drain", done);
      reject(new HoldfastError(ErrorCode.cancelled, "the client went away"));
    };
    if (signal.aborted) return gone();
    response.once("drain", done);
    signal.addEventListener("abort", gone, { once: true });
  });
}
