// An open directory that is shared by the walk and by the files of it that workers still read.

import type { Handle, Platform } from "../platform/port.ts";

export class OpenDirectory {
  readonly handle: Handle;
  readonly #platform: Platform;
  #users = 1;

  constructor(platform: Platform, handle: Handle) {
    this.#platform = platform;
    this.handle = handle;
  }

  /** One more user; release once for each. */
  share(): this {
    this.#users += 1;
    return this;
  }

  release(): void {
    this.#users -= 1;
    if (this.#users === 0) this.#platform.close(this.handle);
  }
}
