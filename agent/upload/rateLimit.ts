// A token bucket over bytes: holds the average of any longer span to the rate, with bursts of a quarter second.

const burstMs = 250;

export class RateLimit {
  readonly #bytesPerSecond: number;
  readonly #nowMs: () => number;
  readonly #sleep: (ms: number) => Promise<void>;
  #freeAtMs: number;

  /**
   * @param nowMs a monotonic clock in milliseconds
   * @param sleep may resolve early; what it rejects with, take rejects with
   */
  constructor(bytesPerSecond: number, nowMs: () => number, sleep: (ms: number) => Promise<void>) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#nowMs = nowMs;
    this.#sleep = sleep;
    this.#freeAtMs = nowMs();
  }

  /** Resolves when `bytes` may be sent. */
  async take(bytes: number): Promise<void> {
    const freeAtMs =
      Math.max(this.#freeAtMs, this.#nowMs() - burstMs) + (bytes * 1000) / this.#bytesPerSecond;
    this.#freeAtMs = freeAtMs;
    for (let wait = freeAtMs - this.#nowMs(); wait > 0; wait = freeAtMs - this.#nowMs())
      await this.#sleep(wait);
  }
}
