// SIGINT and SIGTERM ask for a clean stop; a second one ends the program at once. SIGHUP, which a terminal sends when it goes away,
// ends most commands at once; those that would leave a mount behind take it for a clean stop too.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

export type StopSignals = { readonly signal: AbortSignal; stop(reason: unknown): void };

/**
 * A signal that comes so soon after the first is the same wish: at Ctrl-C the terminal tells everyone in the foreground, and npm,
 * which is there too, passes on what it was told.
 */
const sameWishMs = 1000;

/** Listens for the signals for the rest of the process's life. */
export function listenForStop(nowMs: () => number): StopSignals {
  const controller = new AbortController();
  let firstMs: number | undefined;
  const onSignal = (name: NodeJS.Signals): void => {
    const now = nowMs();
    if (firstMs !== undefined && now - firstMs > sameWishMs) process.kill(process.pid, "SIGKILL");
    firstMs ??= now;
    const next = "Run again to continue.";
    controller.abort(new HoldfastError(ErrorCode.cancelled, `stopped by ${name}`, { next }));
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return { signal: controller.signal, stop: (reason) => controller.abort(reason) };
}

/** The signal, which SIGHUP fires as well from now on. */
export function orHangup(signal: AbortSignal): AbortSignal {
  const hangup = new AbortController();
  process.on("SIGHUP", () => {
    hangup.abort(
      new HoldfastError(ErrorCode.cancelled, "stopped by SIGHUP", { next: "Run again to continue." }),
    );
  });
  return AbortSignal.any([signal, hangup.signal]);
}
