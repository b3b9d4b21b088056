// Notices that a burst of work is over: what it left behind can be given back then, without holding anybody up.
//
// Invariants: `onLull` is called only after so much work since the call before, and when nothing was done for pauseMs at least (twice that at
// most, but after begin()); the timer keeps no process alive.

const pauseMs = 250;
/** V8 collects more often after it has given everything back: half a second of processor time in the next 2 GiB. */
const startPauseMs = 5000;
/** Less leaves little behind, and giving it back costs as much as after a long burst. */
const workBytesMin = 16 * 1024 * 1024;
/** What opening a record leaves behind beside its bytes. */
const bytesPerRecord = 4096;

export class Lull {
  readonly #onLull: () => void;
  #work = 0;
  /** #work when the timer was set. */
  #workBefore = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(onLull: () => void) {
    this.#onLull = onLull;
  }

  /** A record of so many bytes was opened. */
  opened(bytes: number): void {
    this.#work += bytes + bytesPerRecord;
    if (this.#work >= workBytesMin && this.#timer === undefined) this.#wait(pauseMs);
  }

  /** Something was started that left much behind, and is to be used at once perhaps: the first pause has to be a longer one. */
  begin(): void {
    this.#work += workBytesMin;
    if (this.#timer === undefined) this.#wait(startPauseMs);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #wait(forMs: number): void {
    if (this.#stopped) return;
    this.#workBefore = this.#work;
    this.#timer = setTimeout(() => this.#look(), forMs).unref();
  }

  #look(): void {
    if (this.#work !== this.#workBefore) {
      this.#wait(pauseMs);
      return;
    }
    this.#timer = undefined;
    this.#work = 0;
    this.#onLull();
  }
}
