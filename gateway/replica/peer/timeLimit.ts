// A limit on how long something may take, which does not count the time that we ourselves make it wait.

export class TimeLimit {
  readonly #ending = new AbortController();
  #leftMs: number;
  #sinceMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;

  /** Counts from now on. */
  constructor(milliseconds: number) {
    this.#leftMs = milliseconds;
    this.#run();
  }

  /** Fires when the time is over. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  #run(): void {
    this.#sinceMs = performance.now();
    this.#timer = setTimeout(() => this.#ending.abort(), this.#leftMs).unref();
  }

  /** Waits for something without counting that. One at a time. */
  async while<T>(waiting: Promise<T>): Promise<T> {
    clearTimeout(this.#timer);
    this.#leftMs = Math.max(0, this.#leftMs - (performance.now() - this.#sinceMs));
    try {
      return await waiting;
    } finally {
      if (!this.#ended) this.#run();
    }
  }

  /** Nothing fires any more. */
  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }
}
