// When a request is sent again, and how long to wait before that.

import { randomInt } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { ConnectionLost, cancelled, type Exchange } from "./exchange.ts";

/** `once`: not to be repeated after the gateway may have seen it. */
export type RepeatableExchange = Exchange & { readonly once?: boolean };

export type Attempt = {
  readonly request: RepeatableExchange;
  /** Tries so far, this one included. */
  readonly tries: number;
  readonly triesMax: number;
  /** The gateway's address, for the message. */
  readonly origin: string;
};

const firstPauseMs = 250;
const pauseMaxMs = 8000;

/**
 * Waits before another try (twice as long each time, spread a little, so that many agents do not come back at once), or
 * throws what the caller is to see.
 * @throws HoldfastError gateway-unreachable, cancelled; `error` itself where another try makes no sense
 */
export async function pauseBeforeRetry(error: unknown, attempt: Attempt): Promise<void> {
  const { request, tries, triesMax, origin } = attempt;
  const lost = error instanceof ConnectionLost;
  if (!lost && !isHoldfastError(error, ErrorCode.busy)) throw error;
  const stale = lost && error.stale;
  if (tries >= triesMax || (request.once === true && lost && !stale)) {
    if (!lost) throw error;
    throw new HoldfastError(
      ErrorCode.gatewayUnreachable,
      `no answer from the gateway at ${origin}: ${error.message}`,
      { next: "Check address, network and `holdfast gateway status`; then run again.", cause: error },
    );
  }
  if (!stale) await pauseAfter(tries, request.signal);
}

/** Waits as long as is usual after so many tries. @throws HoldfastError cancelled */
export async function pauseAfter(tries: number, signal: AbortSignal | undefined): Promise<void> {
  const longest = Math.min(pauseMaxMs, firstPauseMs * 2 ** (tries - 1));
  const milliseconds = longest - randomInt(Math.floor(longest / 2));
  try {
    await pause(milliseconds, undefined, signal === undefined ? {} : { signal });
  } catch {
    throw cancelled();
  }
}
