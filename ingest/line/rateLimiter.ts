// Lets bytes go at the rate of a table: one limiter for all that shares a line.
//
// Invariants
// - First come, first served.
// - While the rate is r, any T seconds let go at most r * (T + burstSeconds) bytes and what was taken at once last. Who takes `pieceBytes` at a
//   time (half a second's worth) stays within 5 % over every minute; and while bytes wait, nothing of the rate is lost but what a sleep that
//   lasted too long exceeds a burst by.
// - A change of the rate counts within `sliceMs`.

import { setTimeout as pause } from "node:timers/promises";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { RateTable } from "./rateTable.ts";

export type LimiterClock = {
  /** Milliseconds since 1970, for the table. */
  readonly wallMs: () => number;
  /** Milliseconds of a clock that does not jump. */
  readonly monotonicMs: () => number;
  /** Resolves after so many milliseconds, or when the signal fires; a timer unless given. */
  readonly sleep?: (milliseconds: number, signal: AbortSignal | undefined) => Promise<void>;
};

/** What may go at once after a pause. A timer that is late by less loses nothing. */
const burstSeconds = 0.5;
const sliceMs = 1000;
const pieceSeconds = 0.5;
const pieceBytesMax = 256 * 1024;
const pieceBytesMin = 512;

export class RateLimiter {
  readonly #table: RateTable;
  readonly #clock: LimiterClock;
  /** Bytes that may go now; below 0: bytes that went ahead of their time. */
  #free = 0;
  #atMs: number;
  #turn: Promise<void> = Promise.resolve();

  constructor(table: RateTable, clock: LimiterClock) {
    this.#table = table;
    this.#clock = clock;
    this.#atMs = clock.monotonicMs();
  }

  /** Bytes a second now; Infinity: no limit. */
  rate(): number {
    return this.#table.rateAt(this.#clock.wallMs());
  }

  /** How many bytes to take at a time now: what goes in half a second. */
  pieceBytes(most = pieceBytesMax): number {
    return Math.min(most, Math.max(pieceBytesMin, Math.floor(this.rate() * pieceSeconds)));
  }

  /**
   * Resolves when so many bytes may go.
   * @throws HoldfastError cancelled
   */
  take(bytes: number, signal?: AbortSignal): Promise<void> {
    const run = this.#turn.then(() => this.#wait(bytes, signal));
    this.#turn = run.catch(() => {});
    return run;
  }

  async #wait(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    const { sleep = pauseFor } = this.#clock;
    for (;;) {
      if (signal?.aborted) throw new HoldfastError(ErrorCode.cancelled, "stopped");
      const rate = this.#refill();
      if (rate === Number.POSITIVE_INFINITY) return;
      if (this.#free >= 0) {
        this.#free -= bytes;
        return;
      }
      const milliseconds = Math.ceil((-this.#free / rate) * 1000);
      await sleep(Math.min(Math.max(milliseconds, 1), sliceMs), signal);
    }
  }

  #refill(): number {
    const rate = this.rate();
    const now = this.#clock.monotonicMs();
    const seconds = Math.max(0, now - this.#atMs) / 1000;
    this.#atMs = now;
    this.#free =
      rate === Number.POSITIVE_INFINITY ? 0 : Math.min(this.#free + seconds * rate, rate * burstSeconds);
    return rate;
  }
}

async function pauseFor(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  // What waits asks the signal itself.
  await pause(milliseconds, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
}
