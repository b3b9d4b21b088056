// Keeps the event loop looking for the next request for a moment after an answer, in place of going to sleep.
//
// A client that reads piece after piece over one connection asks again within some tenths of a millisecond. To sleep for so short a time and
// be woken costs a processor, above all a virtual one, a good part of what the answer does (docs/decisions/0009-webdav.md).
// Invariants: the loop turns meanwhile, so nobody waits for this; it is done only when the request before came as
// fast, so a client that pauses costs nothing; it ends after lookMs.

/** Measured: a client in JavaScript takes 0.2 to 0.3 ms over an answer of 64 KiB. */
const lookMs = 0.5;

export class EagerLoop {
  readonly #monotonicMs: () => number;
  readonly #turn: (work: () => void) => void;
  /** Whether an answer was given after the newest request. */
  #isAnswered = false;
  #answeredMs = Number.NEGATIVE_INFINITY;
  #pays = false;
  #looks = false;

  /**
   * @param monotonicMs a clock that does not jump
   * @param turn calls back in the loop's next turn, before it would sleep (setImmediate)
   */
  constructor(monotonicMs: () => number, turn: (work: () => void) => void) {
    this.#monotonicMs = monotonicMs;
    this.#turn = turn;
  }

  /** To be called when a request came. */
  arrived(): void {
    this.#pays = this.#isAnswered && this.#isSoon();
    this.#isAnswered = false;
  }

  /** To be called when an answer was given to the connection. */
  answered(): void {
    this.#isAnswered = true;
    this.#answeredMs = this.#monotonicMs();
    if (!this.#pays || this.#looks) return;
    this.#looks = true;
    this.#turn(this.#look);
  }

  #isSoon(): boolean {
    return this.#monotonicMs() - this.#answeredMs < lookMs;
  }

  readonly #look = (): void => {
    this.#looks = this.#isAnswered && this.#isSoon();
    if (this.#looks) this.#turn(this.#look);
  };
}
