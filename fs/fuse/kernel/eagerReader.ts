// Takes requests that follow at once on the answer to the one before, without going to sleep in between.
//
// A program that asks for one thing after the other (`ls -l` asks for two attributes of every file) would put this thread to sleep and wake
// it for each of them, which costs several times what the answer does. So after a request that was answered at once, the
// descriptor is looked at again for a few microseconds, as long as that pays.
// Invariants: nothing is looked at while the session waits for anything, so nobody is held up but by spinMs; after turnMs
// the event loop has its turn. Without koffi all of this is left out: the drive is the same, only slower.

import { REQUEST_BUFFER_BYTES } from "./abi.ts";
import { type Libc, loadLibc } from "./libc.ts";

/**
 * Measured: 20 microseconds halve the time of `ls -l`, but a `find` takes some 45 for its part of a page, and putting this thread to sleep and waking it
 * costs 60 more. Longer than this takes processor time and wins nothing.
 */
const spinMs = 0.08;
const turnMs = 1;
/** Below this share of looks that found something, only now and then one is tried. */
const shareMin = 0.4;
const looksBetweenTries = 32;

export class EagerReader {
  readonly #descriptor: number;
  readonly #onRequest: (bytes: Buffer) => void;
  readonly #read = loadLibc()?.read;
  readonly #buffer = Buffer.allocUnsafeSlow(REQUEST_BUFFER_BYTES);
  /** Share of looks that found a request, the newest counting most. */
  #share = 1;
  #skipped = 0;

  /** @param descriptor one that does not block */
  constructor(descriptor: number, onRequest: (bytes: Buffer) => void) {
    this.#descriptor = descriptor;
    this.#onRequest = onRequest;
  }

  /** Handles what comes within a moment. `goOn` is asked before every look. */
  run(goOn: () => boolean): void {
    if (this.#read === undefined) return;
    if (this.#share < shareMin && ++this.#skipped < looksBetweenTries) return;
    this.#skipped = 0;
    const end = performance.now() + turnMs;
    while (goOn()) {
      const length = this.#look(this.#read);
      this.#share += ((length > 0 ? 1 : 0) - this.#share) / 16;
      if (length <= 0) return;
      this.#onRequest(this.#buffer.subarray(0, length));
      if (performance.now() > end) return;
    }
  }

  #look(read: Libc["read"]): number {
    const end = performance.now() + spinMs;
    do {
      const length = read(this.#descriptor, this.#buffer, REQUEST_BUFFER_BYTES);
      if (length > 0) return length;
    } while (performance.now() < end);
    return 0;
  }
}
