// Reads that know where their records are: a pack's file goes only after those that began before its rows moved or went have ended.

type Waiting = { readonly below: number; readonly resolve: () => void };

export class ReadsUnderWay {
  #number = 0;
  readonly #running = new Set<number>();
  #waiting: Waiting[] = [];

  /** A read begins. Call what it returns when it has ended, once or more often. */
  begin(): () => void {
    const number = this.#number++;
    this.#running.add(number);
    return () => {
      if (this.#running.delete(number)) this.#wake();
    };
  }

  /** How many began since the process did. */
  get begun(): number {
    return this.#number;
  }

  /** Resolves when all that run now have ended. */
  quiet(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ below: this.#number, resolve });
      this.#wake();
    });
  }

  #wake(): void {
    // Numbers are in the order of their beginning, and a set keeps it.
    const oldest = this.#running.values().next().value ?? Number.POSITIVE_INFINITY;
    const still: Waiting[] = [];
    for (const each of this.#waiting) {
      if (oldest >= each.below) each.resolve();
      else still.push(each);
    }
    this.#waiting = still;
  }
}
