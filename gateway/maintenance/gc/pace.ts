// Makes long work in this thread give way: while uploads or reads go on it works a fifth of the time, else all of it.

export type PaceOptions = {
  readonly monotonicMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  /** Grows with whatever others ask of the vault. */
  readonly activity: () => number;
  readonly signal: AbortSignal;
};

/** Work between two looks at the clock. */
const sliceMs = 4;
/** Of pauses to work, where somebody else is busy. */
const restsMore = 4;
const pauseMsMax = 250;
/** Nobody was busy for so long: work goes on without pauses. */
const idleAfterMs = 500;

export class Pace {
  readonly #options: PaceOptions;
  #sinceMs: number;
  #activity: number;
  #busyUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#sinceMs = options.monotonicMs();
    this.#activity = options.activity();
  }

  /** To be awaited between slices of work. Throws the signal's reason. */
  async turn(): Promise<void> {
    const { monotonicMs, sleep, activity, signal } = this.#options;
    signal.throwIfAborted();
    const nowMs = monotonicMs();
    const workedMs = nowMs - this.#sinceMs;
    if (workedMs < sliceMs) return;
    const seen = activity();
    if (seen !== this.#activity) this.#busyUntilMs = nowMs + idleAfterMs;
    this.#activity = seen;
    if (nowMs < this.#busyUntilMs) await sleep(Math.min(pauseMsMax, workedMs * restsMore));
    else await new Promise((resolve) => setImmediate(resolve));
    this.#sinceMs = monotonicMs();
    signal.throwIfAborted();
  }
}
