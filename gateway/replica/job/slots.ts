// So many at a time, first come, first served: what all jobs of one replica have under way together.

import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";

export class Slots {
  readonly #width: number;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(width: number) {
    this.#width = width;
  }

  /** Runs `work` when there is room. @throws HoldfastError cancelled when the signal fired before that; and what `work` throws */
  async use<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#taken === this.#width) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#taken++;
    try {
      if (signal.aborted) throw new HoldfastError(ErrorCode.cancelled, "stopped");
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#taken--;
      else next();
    }
  }
}
