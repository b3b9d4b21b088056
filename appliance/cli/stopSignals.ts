// SIGINT and SIGTERM ask for a clean stop; a second one ends the program at once.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

export type StopSignals = { readonly signal: AbortSignal; stop(reason: unknown): void };

/** Listens for the signals for the rest of the process's life. */
export function listenForStop(): StopSignals {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.kill(process.pid, "SIGKILL");
    const next = "Run again to continue.";
    controller.abort(new HoldfastError(ErrorCode.cancelled, `stopped by ${name}`, { next }));
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return { signal: controller.signal, stop: (reason) => controller.abort(reason) };
}
