// Waiting for a client that takes what it was sent more slowly than it is made.

import type { Writable } from "node:stream";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

/** Resolves when a response or socket takes more again. @throws HoldfastError cancelled when `signal` fires first */
export function drained(stream: Writable, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      signal.removeEventListener("abort", gone);
      stream.off("drain", done);
      resolve();
    };
    const gone = (): void => {
      stream.off("drain", done);
      reject(new HoldfastError(ErrorCode.cancelled, "the client went away"));
    };
    if (signal.aborted) return gone();
    stream.once("drain", done);
    signal.addEventListener("abort", gone, { once: true });
  });
}
