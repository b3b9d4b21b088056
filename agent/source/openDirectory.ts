// Open directories that are shared by the walk and by the files of them that workers still read.

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

/** All open directories of a run, so that a run that fails leaves no descriptor behind. */
export class OpenDirectories {
  readonly #platform: Platform;
  readonly #open = new Set<OpenDirectory>();

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** Takes over a handle; it is closed with its last user. */
  add(handle: Handle): OpenDirectory {
    const directory = new OpenDirectory(handle, (closed) => {
      if (this.#open.delete(closed)) this.#platform.close(closed.handle);
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
