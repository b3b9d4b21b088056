// Whether what a command prints is taken. A reader that goes away is no failure; a disk that is full is one: of a command that only prints,
// which ends then, and otherwise a warning, once its work is done. A service goes on without its log.

import type { HoldfastError } from "../../../vault/errors.ts";
import { ExitStatus, failureOf } from "../exitStatus.ts";

/** The part of process.stdout that is used. */
export interface WatchedStream {
  readonly isTTY?: boolean;
  on(event: "error", listener: (error: NodeJS.ErrnoException) => void): unknown;
}

/** A socket's word for it is the second. */
const readerGone: readonly (string | undefined)[] = ["EPIPE", "ECONNRESET"];

export class OutputWatch {
  /** The command does nothing but print, as help does, or watches something for a reader. */
  endsWithReader = true;
  readonly #stop: (reason: unknown) => void;
  #readerLeft = false;
  #failure: HoldfastError | undefined;

  /** `stop` ends the command, if it is one that only prints. */
  constructor(stdout: WatchedStream, stop: (reason: unknown) => void) {
    this.#stop = stop;
    stdout.on("error", (error) => {
      // The terminal is gone.
      if (error.code === "EIO" && stdout.isTTY) return;
      if (readerGone.includes(error.code)) {
        this.#readerLeft = true;
        if (this.endsWithReader) stop(error);
      } else this.#failed(error);
    });
  }

  #failed(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = failureOf(Object.assign(error, { path: "stdout" })).error;
    if (this.endsWithReader) this.#stop(this.#failure);
  }

  /** The command was ended because nobody reads any more. */
  get endedByReader(): boolean {
    return this.#readerLeft && this.endsWithReader;
  }

  /** Why something that was printed was not written. */
  get failure(): HoldfastError | undefined {
    return this.#failure;
  }

  /** The exit status of a command that ended with `status`, where its output could not be written. */
  statusAfter(status: ExitStatus): ExitStatus {
    if (status !== ExitStatus.done && status !== ExitStatus.warnings) return status;
    return this.endsWithReader ? ExitStatus.failed : ExitStatus.warnings;
  }
}
