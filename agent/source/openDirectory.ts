// Open directories that are shared by the walk and by the files of them that workers still read.
//
// Invariant: beside those that lead from the root to where the walk is, at most `max` are open.

import type { Handle, Platform } from "../platform/port.ts";

export class OpenDirectory {
  readonly handle: Handle;
  readonly #close: (directory: OpenDirectory) => void;
  #users = 1;

  constructor(handle: Handle, close: (directory: OpenDirectory) => void) {
    this.handle = handle;
    this.#close = close;
  }

  /** One more user; release once for each. */
  share(): this {
    this.#users += 1;
    return this;
  }

  release(): void {
    this.#users -= 1;
    if (this.#users === 0) this.#close(this);
  }
}

/** What else a backup has open: libraries, databases, connections, threads. */
const othersMax = 72;
/** More are of no use: readers have enough to do. */
const directoriesMax = 4096;
const directoriesMin = 8;

/** All open directories of a run, so that a run that fails leaves no descriptor behind. */
export class OpenDirectories {
  readonly #platform: Platform;
  readonly #open = new Set<OpenDirectory>();
  readonly #max: number;
  #waiting: (() => void)[] = [];

  /** `filesMax`: what the process may have open in all. */
  constructor(platform: Platform, filesMax: number) {
    this.#platform = platform;
    this.#max = Math.max(directoriesMin, Math.min(directoriesMax, filesMax - othersMax));
  }

  /** Whether another one may be opened. `own`: how many lead to where the walk is, which nobody else closes. */
  hasRoom(own: number): boolean {
    const { size } = this.#open;
    return size < this.#max || size <= own;
  }

  /** Has the files read that keep directories open, and resolves when there is room. */
  async room(own: number, intake: { flush(): void }): Promise<void> {
    intake.flush();
    while (!this.hasRoom(own)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Takes over a handle; it is closed with its last user. */
  add(handle: Handle): OpenDirectory {
    const directory = new OpenDirectory(handle, (closed) => {
      if (!this.#open.delete(closed)) return;
      this.#platform.close(closed.handle);
      for (const wake of this.#waiting.splice(0)) wake();
    });
    this.#open.add(directory);
    return directory;
  }

  /** Closes what is still open; only when nobody reads any more. */
  closeAll(): void {
    for (const directory of this.#open) this.#platform.close(directory.handle);
    this.#open.clear();
  }
}
