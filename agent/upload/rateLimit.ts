// A token bucket over bytes: holds the average of any longer span to the rate, with bursts of a quarter second.

export class RateLimit {
  readonly #bytesPerSecond: number;
  readonly #nowMs: () => number;
  #freeAtMs: number;

  /** @param nowMs a monotonic clock in milliseconds */
  constructor(bytesPerSecond: number, nowMs: () => number) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#nowMs = nowMs;
    this.#freeAtMs = nowMs();
  }

  /** Resolves when `bytes` may be sent. */
  async take(bytes: number): Promise<void> {
    const now = this.#nowMs();
    this.#freeAtMs = Math.max(this.#freeAtMs, now - 250) + (bytes * 1000) / this.#bytesPerSecond;
    const waitMs = this.#freeAtMs - now;
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}
