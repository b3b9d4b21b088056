// Tries of one request: how often, and how long to wait between them.

import { randomInt } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { isLost } from "./s3Errors.ts";

export type AttemptTuning = {
  readonly triesMax: number;
  readonly firstPauseMs: number;
  readonly pauseMaxMs: number;
};

/** About a minute of pauses in all: what takes longer is the replicator's to wait for. */
export const usualAttempts: AttemptTuning = { triesMax: 8, firstPauseMs: 250, pauseMaxMs: 20_000 };

/** How a call that succeeded went before. */
export type Tried<T> = {
  readonly value: T;
  /** Whether an earlier try may have been carried out without our seeing its answer. */
  readonly lostBefore: boolean;
};

/** A failed call, with whether it or an earlier try may have been carried out. */
export class TriesEnded extends Error {
  override readonly name = "TriesEnded";
  readonly last: unknown;
  readonly lostBefore: boolean;

  constructor(last: unknown, lostBefore: boolean) {
    super("a request failed for good");
    this.last = last;
    this.lostBefore = lostBefore;
  }
}

/** The stop that a caller asked for. */
export function cancelled(cause?: unknown): HoldfastError {
  return new HoldfastError(ErrorCode.cancelled, "the work on the replica was stopped", { cause });
}

/**
 * Runs `attempt` until it succeeds, fails in a way that no other try mends, or was tried often enough. Pauses grow, and are spread so that
 * many requests do not come back at once.
 * @throws TriesEnded; HoldfastError cancelled when `signal` fires
 */
export async function tryRepeatedly<T>(
  tuning: AttemptTuning,
  signal: AbortSignal,
  attempt: () => Promise<T>,
  isWorthAnotherTry: (error: unknown) => boolean,
  onRetry: () => void,
): Promise<Tried<T>> {
  let lostBefore = false;
  for (let tries = 1; ; tries++) {
    if (signal.aborted) throw cancelled(signal.reason);
    try {
      return { value: await attempt(), lostBefore };
    } catch (error) {
      if (signal.aborted) throw cancelled(error);
      if (tries >= tuning.triesMax || !isWorthAnotherTry(error)) throw new TriesEnded(error, lostBefore);
      lostBefore ||= isLost(error);
    }
    const longest = Math.min(tuning.pauseMaxMs, tuning.firstPauseMs * 2 ** (tries - 1));
    try {
      await pause(longest - randomInt(Math.floor(longest / 2) + 1), undefined, { signal });
    } catch {
      throw cancelled(signal.reason);
    }
    onRetry();
  }
}
