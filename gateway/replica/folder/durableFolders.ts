// Folders below a replica, made so that they are still there after power loss.
//
// Invariant: a folder that `make` answered for, and every one above it, is named durably: also where another process made it and
// was killed before it could sync.

import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errnoOf, syncDirectory } from "../../store/files.ts";

export class DurableFolders {
  readonly #root: string;
  /** Relative paths; a folder that is under way is there as its promise. */
  readonly #known = new Map<string, Promise<void>>();

  constructor(root: string) {
    this.#root = root;
  }

  /** Makes the folder `relative` (no leading slash; "." is the root, which must be there). Throws the system's errors. */
  make(relative: string): Promise<void> {
    if (relative === ".") return Promise.resolve();
    const known = this.#known.get(relative);
    if (known !== undefined) return known;
    const made = this.#make(relative);
    this.#known.set(relative, made);
    made.catch(() => this.#known.delete(relative));
    return made;
  }

  async #make(relative: string): Promise<void> {
    const parent = dirname(relative);
    await this.make(parent);
    try {
      await mkdir(join(this.#root, relative), { mode: 0o700 });
    } catch (error) {
      if (errnoOf(error) !== "EEXIST") throw error;
    }
    await syncDirectory(join(this.#root, parent));
  }

  /** Someone removed a folder: looks at all of them again. */
  forget(): void {
    this.#known.clear();
  }
}
