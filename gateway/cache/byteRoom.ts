// A number of bytes that may be in memory at a time. First come, first served.

export class ByteRoom {
  readonly #max: number;
  #free: number;
  readonly #waiting: { readonly bytes: number; readonly resolve: () => void }[] = [];

  constructor(max: number) {
    this.#max = max;
    this.#free = max;
  }

  /** Bytes that nobody has. */
  get free(): number {
    return this.#free;
  }

  /** Whether somebody waits. */
  get isAwaited(): boolean {
    return this.#waiting.length > 0;
  }

  /** Resolves when so many bytes are there; never more than all of them. */
  take(bytes: number): Promise<void> {
    if (bytes > this.#max) throw new Error(`${bytes} bytes will never be free of ${this.#max}`);
    if (this.#waiting.length === 0 && bytes <= this.#free) {
      this.#free -= bytes;
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#waiting.push({ bytes, resolve }));
  }

  give(bytes: number): void {
    this.#free += bytes;
    for (
      let first = this.#waiting[0];
      first !== undefined && first.bytes <= this.#free;
      first = this.#waiting[0]
    ) {
      this.#waiting.shift();
      this.#free -= first.bytes;
      first.resolve();
    }
  }
}
