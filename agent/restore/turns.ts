// Who makes a file in a directory next: one worker at a time in each, since the kernel lets in no more.
//
// Threads that make files in one directory wait for each other in the kernel, and Linux has them burn a whole processor while
// they do. Here they sleep. Invariants: a turn is given back whatever happens; it is a courtesy and no lock, so that a worker that died
// with it holds up nobody for longer than `patienceMs`.

const slots = 64;
const patienceMs = 1000;

const State = { free: 0, taken: 1, wanted: 2 } as const;

/** Memory that all workers of a restore share. */
export function turnMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(slots * Int32Array.BYTES_PER_ELEMENT);
}

export class Turns {
  readonly #words: Int32Array;
  #directory: Uint8Array | undefined;
  #slot = 0;

  /** @param memory what turnMemory made */
  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** Does `work`, which makes something in the directory, when it is this worker's turn. Not for threads with an event loop. */
  take<Result>(directory: Uint8Array, work: () => Result): Result {
    const words = this.#words;
    const slot = this.#slotOf(directory);
    if (Atomics.compareExchange(words, slot, State.free, State.taken) !== State.free) {
      while (Atomics.exchange(words, slot, State.wanted) !== State.free) {
        if (Atomics.wait(words, slot, State.wanted, patienceMs) === "timed-out") break;
      }
    }
    try {
      return work();
    } finally {
      if (Atomics.exchange(words, slot, State.free) === State.wanted) Atomics.notify(words, slot, 1);
    }
  }

  /** Directories of one slot take turns too, which does no harm. */
  #slotOf(directory: Uint8Array): number {
    if (this.#directory !== directory) {
      this.#directory = directory;
      let sum = 0;
      for (const byte of directory) sum = (Math.imul(sum, 31) + byte) | 0;
      this.#slot = sum & (slots - 1);
    }
    return this.#slot;
  }
}
