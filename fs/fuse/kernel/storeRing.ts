// Shared memory between a mount and its storing thread: files that are to be stored, one behind the other. Sending each by a message
// would cost more than storing it.
//
// Invariants: the mount alone writes entries and #written, the thread alone #stored; both count entries, modulo 2^32; an entry's place is
// used again only after it was stored. An entry: node id, size, number of pieces, then address and length of each piece.

/** Numbers that may wait in the ring. */
export const RING_NUMBERS = 32_768;
/** Numbers of an entry. */
export const entryNumbers = (pieces: number): number => 3 + 2 * pieces;
/** How long to wait for a thread that may have died meanwhile. */
const progressMs = 100;
/** Places of counters in the control words. */
const SIGNAL = 0;
const WRITTEN = 1;
const STORED = 2;
const BARRIER = 3;
const STOP = 4;

export type StoreMemory = { readonly control: SharedArrayBuffer; readonly numbers: SharedArrayBuffer };

/** Memory for both ends. */
export function storeMemory(): StoreMemory {
  return { control: new SharedArrayBuffer(5 * 4), numbers: new SharedArrayBuffer(RING_NUMBERS * 8) };
}

/** The mount's end. */
export class StoreSender {
  readonly #control: Int32Array<SharedArrayBuffer>;
  readonly #numbers: Float64Array<SharedArrayBuffer>;
  #at = 0;
  #written = 0;

  constructor({ control, numbers }: StoreMemory) {
    this.#control = new Int32Array(control);
    this.#numbers = new Float64Array(numbers);
  }

  /** How many entries were written and are not stored yet. */
  get waiting(): number {
    return (this.#written - Atomics.load(this.#control, STORED)) | 0;
  }

  /**
   * Writes an entry, which is stored after send(), and returns how many numbers it takes. The caller sees to it that never more than
   * RING_NUMBERS wait. `places`: address and length of each piece.
   */
  write(nodeId: number, size: number, places: readonly number[]): number {
    this.#put(nodeId);
    this.#put(size);
    this.#put(places.length / 2);
    for (const number of places) this.#put(number);
    this.#written = (this.#written + 1) | 0;
    return entryNumbers(places.length / 2);
  }

  send(): void {
    Atomics.store(this.#control, WRITTEN, this.#written);
    this.#signal();
  }

  /** Nothing that was written so far is stored any more, but what the thread is at. */
  skip(): void {
    Atomics.store(this.#control, BARRIER, this.#written);
    this.send();
  }

  /** Resolves when the thread is through with something, or after a while. */
  async progress(): Promise<void> {
    const stored = Atomics.load(this.#control, STORED);
    if (stored === this.#written) return;
    await Atomics.waitAsync(this.#control, STORED, stored, progressMs).value;
  }

  stop(): void {
    Atomics.store(this.#control, STOP, 1);
    this.#signal();
  }

  #put(number: number): void {
    this.#numbers[this.#at] = number;
    this.#at = (this.#at + 1) % RING_NUMBERS;
  }

  #signal(): void {
    Atomics.add(this.#control, SIGNAL, 1);
    Atomics.notify(this.#control, SIGNAL);
  }
}

/**
 * The storing thread's end: calls `store` for each entry until the mount says stop, and `begin` before some that came together. `next`
 * gives the entry's numbers in order.
 */
export function receiveStores(
  { control: words, numbers: memory }: StoreMemory,
  begin: () => void,
  store: (next: () => number, skipped: boolean) => void,
): void {
  const control = new Int32Array(words);
  const numbers = new Float64Array(memory);
  let at = 0;
  const next = (): number => {
    const number = numbers[at] as number;
    at = (at + 1) % RING_NUMBERS;
    return number;
  };
  let stored = 0;
  for (;;) {
    const signal = Atomics.load(control, SIGNAL);
    // Before what was written: all that came before the stop is seen then.
    const stopped = Atomics.load(control, STOP) !== 0;
    const written = Atomics.load(control, WRITTEN);
    begin();
    while (stored !== written) {
      const number = (stored + 1) | 0;
      store(next, ((number - Atomics.load(control, BARRIER)) | 0) <= 0);
      stored = number;
      Atomics.store(control, STORED, stored);
    }
    Atomics.notify(control, STORED);
    if (stopped) return;
    Atomics.wait(control, SIGNAL, signal);
  }
}
