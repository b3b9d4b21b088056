// A worker's windows: shared memory that plaintext is read into and sealed out of.
// Invariants: a window is filled from its start; it is used again only when it was retired (nothing more will be
// read into it) and every chunk in it was released. So the memory of a backup is bounded by the windows alone.

import type { Place } from "./messages.ts";

type WindowState = { readonly memory: Buffer; used: number; open: number; retired: boolean };

export class Windows {
  readonly #worker: number;
  readonly #states: readonly WindowState[];
  #current: number | undefined;
  #taken = 0;

  constructor(worker: number, memories: readonly SharedArrayBuffer[]) {
    this.#worker = worker;
    this.#states = memories.map((memory) => ({
      memory: Buffer.from(memory),
      used: 0,
      open: 0,
      retired: true,
    }));
  }

  /** Makes room for `bytes` in one piece; false while every window still holds chunks that nobody released. */
  reserve(bytes: number): boolean {
    if (this.#current !== undefined) {
      const state = this.#state(this.#current);
      if (state.used + bytes <= state.memory.length) return true;
      state.retired = true;
      this.#current = undefined;
    }
    const free = this.#states.findIndex((state) => state.retired && state.open === 0);
    if (free === -1) return false;
    const state = this.#state(free);
    if (bytes > state.memory.length) throw new Error(`window too small for ${bytes} bytes`);
    state.used = 0;
    state.retired = false;
    this.#current = free;
    return true;
  }

  /** The unused rest of the current window; only after reserve answered true. */
  rest(): Buffer {
    const state = this.#state(this.#current as number);
    return state.memory.subarray(state.used);
  }

  /** Marks the next `length` bytes of the rest as a chunk that must be released. */
  take(length: number): Place {
    const window = this.#current as number;
    const state = this.#state(window);
    const place = { worker: this.#worker, window, offset: state.used, length, order: this.#taken++ };
    state.used += length;
    state.open += 1;
    return place;
  }

  release(window: number): void {
    const state = this.#state(window);
    if (state.open === 0) throw new Error("window released twice");
    state.open -= 1;
    // The current window starts again from its beginning as soon as nothing is left in it.
    if (state.open === 0 && window === this.#current) {
      state.retired = true;
      this.#current = undefined;
    }
  }

  #state(window: number): WindowState {
    const state = this.#states[window];
    if (state === undefined) throw new Error(`no window ${window}`);
    return state;
  }
}
