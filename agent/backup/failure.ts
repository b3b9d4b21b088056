// The first failure of a run, which everything that waits must hear of.
//
// Not a promise that others race with: each race would leave a reaction on it for as long as nothing fails, and a run of
// millions of files waits millions of times. Here a wait that is over leaves nothing behind.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

/** setTimeout takes no more: anything longer would fire at once. */
const timerMsMax = 2 ** 31 - 1;

export class Failure {
  #first: { readonly error: unknown } | undefined;
  readonly #waiting = new Set<(error: unknown) => void>();

  /** Ends every wait, now and later, with this error; failures after the first change nothing. */
  fail(error: unknown): void {
    if (this.#first !== undefined) return;
    this.#first = { error };
    for (const reject of this.#waiting) reject(error);
    this.#waiting.clear();
  }

  /** Throws what the run failed with. */
  check(): void {
    if (this.#first !== undefined) throw this.#first.error;
  }

  /** The same outcome as `work`, or a rejection as soon as the run fails. */
  guard<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#first !== undefined) reject(this.#first.error);
      else this.#waiting.add(reject);
      work.then(resolve, reject).finally(() => this.#waiting.delete(reject));
    });
  }

  /** Resolves after so many milliseconds, and rejects as soon as the run fails. */
  async sleep(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const slept = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, Math.min(ms, timerMsMax));
    });
    try {
      await this.guard(slept);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Why a run ends that was told to. */
export function stopped(): HoldfastError {
  return new HoldfastError(ErrorCode.cancelled, "the backup was stopped", {
    next: "Run it again: it goes on where it stopped.",
  });
}
