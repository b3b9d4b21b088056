// What the main thread and the worker that reads a pipe tell each other in between: a word of shared memory each, since the worker may wait
// in a read for hours.

const layout = { bytes: 0, reading: 8, givenUp: 12, length: 16 } as const;

export class StreamState {
  readonly shared: SharedArrayBuffer;
  readonly #bytes: BigInt64Array;
  readonly #words: Int32Array;

  constructor(shared = new SharedArrayBuffer(layout.length)) {
    this.shared = shared;
    this.#bytes = new BigInt64Array(shared, layout.bytes, 1);
    this.#words = new Int32Array(shared, layout.reading, 2);
  }

  /** Bytes that were read. */
  get bytes(): number {
    return Number(Atomics.load(this.#bytes, 0));
  }

  /** Whether the worker waits for the writer now, and not for room. */
  get reading(): boolean {
    return Atomics.load(this.#words, 0) === 1;
  }

  get givenUp(): boolean {
    return Atomics.load(this.#words, 1) === 1;
  }

  add(bytes: number): void {
    Atomics.add(this.#bytes, 0, BigInt(bytes));
  }

  whileReading(read: () => number): number {
    Atomics.store(this.#words, 0, 1);
    const got = read();
    Atomics.store(this.#words, 0, 0);
    return got;
  }

  /** What is read from now on counts as the end. */
  giveUp(): void {
    Atomics.store(this.#words, 1, 1);
  }
}
