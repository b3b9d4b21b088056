// Lets bytes go at the rate of the time table: one for all uploads of a replica.
//
// Invariants
// - First come, first served: a large part does not starve behind small ones.
// - Over any time at one rate, at most that rate plus one burst goes. What goes at once may be larger than a burst; who comes next waits it off.
// - A change of the rate counts within `sliceMs`.

import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { Bandwidth } from "./bandwidth.ts";

export type ThrottleClock = {
  /** For the time table. */
  readonly now: () => Date;
  /** Milliseconds of a clock that does not jump. */
  readonly monotonicMs: () => number;
  /** Resolves after so many milliseconds, or at once when the signal fires. */
  readonly sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
};

/** What may go at once after a pause. */
const burstSeconds = 0.25;
const sliceMs = 1000;

export class Throttle {
  readonly #bandwidth: Bandwidth;
  readonly #clock: ThrottleClock;
  /** Bytes that may go now; below 0: bytes that went ahead of their time. */
  #free = 0;
  #at: number;
  #turn: Promise<void> = Promise.resolve();

  constructor(bandwidth: Bandwidth, clock: ThrottleClock) {
    this.#bandwidth = bandwidth;
    this.#clock = clock;
    this.#at = clock.monotonicMs();
  }

  /**
   * Resolves when so many bytes may go.
   * @throws HoldfastError cancelled
   */
  take(bytes: number, signal: AbortSignal): Promise<void> {
    const run = this.#turn.then(() => this.#wait(bytes, signal));
    this.#turn = run.catch(() => {});
    return run;
  }

  async #wait(bytes: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      if (signal.aborted) throw new HoldfastError(ErrorCode.cancelled, "stopped");
      const rate = this.#refill();
      if (rate === Number.POSITIVE_INFINITY) return;
      if (this.#free >= 0) {
        this.#free -= bytes;
        return;
      }
      const milliseconds = Math.ceil((-this.#free / rate) * 1000);
      await this.#clock.sleep(Math.min(Math.max(milliseconds, 1), sliceMs), signal);
    }
  }

  #refill(): number {
    const rate = this.#bandwidth.rateAt(this.#clock.now());
    const now = this.#clock.monotonicMs();
    const seconds = Math.max(0, now - this.#at) / 1000;
    this.#at = now;
    this.#free =
      rate === Number.POSITIVE_INFINITY ? 0 : Math.min(this.#free + seconds * rate, rate * burstSeconds);
    return rate;
  }
}
