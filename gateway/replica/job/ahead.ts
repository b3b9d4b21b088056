// What a run that began before any snapshot needs it waits for: packs that are closed, and the moment from which it is to list what is there.

/** For so long a run waits for another pack before it ends: a backup over a slow line closes one only now and then. */
export const lingerMsDefault = 60_000;

export class Ahead {
  /** Resolves when `list` is called. */
  readonly listing: Promise<void>;
  readonly #lingerMs: number;
  readonly #resolve: () => void;
  #lists = false;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(lingerMs: number) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.listing = promise;
    this.#resolve = resolve;
    this.#lingerMs = lingerMs;
  }

  /** Whether what is there is to be listed now. */
  get lists(): boolean {
    return this.#lists;
  }

  /** A snapshot was committed, or somebody asked for a run: what is there is to be listed. */
  list(): void {
    this.#lists = true;
    this.#resolve();
    this.#wake?.();
  }

  /** A pack was closed. */
  packClosed(): void {
    this.#closed = true;
    this.#wake?.();
  }

  /** Forgets packs that were closed before: somebody looks at all of them now. */
  looked(): void {
    this.#closed = false;
  }

  /** Waits for a pack that was closed since `looked`, or for `list`; false when neither comes for a while, or the signal fires. */
  async next(signal: AbortSignal): Promise<boolean> {
    if (!this.#closed && !this.#lists && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const end = (): void => {
          clearTimeout(timer);
          signal.removeEventListener("abort", end);
          this.#wake = undefined;
          resolve();
        };
        const timer = setTimeout(end, this.#lingerMs).unref();
        signal.addEventListener("abort", end, { once: true });
        this.#wake = end;
      });
    }
    return this.#closed || this.#lists;
  }
}
