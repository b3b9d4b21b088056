// How many reads are in the view at once; the rest wait in order.

const readsAtOnce = 64;

export class ReadTurns {
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  /** Resolves when it is the caller's turn, which it must end. */
  async take(): Promise<void> {
    if (this.#taken < readsAtOnce) this.#taken++;
    else await new Promise<void>((go) => this.#waiting.push(go));
  }

  end(): void {
    const next = this.#waiting.shift();
    // The place passes on; the count stays.
    if (next === undefined) this.#taken--;
    else next();
  }
}
