// Bounds how many long answers are made at a time, and so their memory; one owner cannot take all of it. First come, first served among
// those whose owner has room.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

type Waiting = { readonly owner: string; readonly give: () => void };

export class Slots {
  readonly #total: number;
  readonly #perOwner: number;
  readonly #taken = new Map<string, number>();
  #takenInAll = 0;
  #waiting: Waiting[] = [];

  constructor(total: number, perOwner: number) {
    this.#total = total;
    this.#perOwner = perOwner;
  }

  /** Resolves with what gives the slot back, once. @throws HoldfastError cancelled when `signal` fires first */
  async take(owner: string, signal: AbortSignal): Promise<() => void> {
    if (signal.aborted) throw gone();
    if (!this.#hasRoom(owner)) await this.#wait(owner, signal);
    else this.#count(owner, 1);
    let held = true;
    return () => {
      if (held) this.#free(owner);
      held = false;
    };
  }

  #hasRoom(owner: string): boolean {
    return this.#takenInAll < this.#total && (this.#taken.get(owner) ?? 0) < this.#perOwner;
  }

  #count(owner: string, change: 1 | -1): void {
    const taken = (this.#taken.get(owner) ?? 0) + change;
    if (taken === 0) this.#taken.delete(owner);
    else this.#taken.set(owner, taken);
    this.#takenInAll += change;
  }

  #wait(owner: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
        reject(gone());
      };
      const give = (): void => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
      const waiting = { owner, give };
      this.#waiting.push(waiting);
      signal.addEventListener("abort", abort, { once: true });
    });
  }

  #free(owner: string): void {
    this.#count(owner, -1);
    const next = this.#waiting.find((waiting) => this.#hasRoom(waiting.owner));
    if (next === undefined) return;
    this.#waiting = this.#waiting.filter((other) => other !== next);
    this.#count(next.owner, 1);
    next.give();
  }
}

function gone(): HoldfastError {
  return new HoldfastError(ErrorCode.cancelled, "the client went away");
}
