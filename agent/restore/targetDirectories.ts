// Open directories below the restore target, by path. Few are open at a time, whatever the tree.
//
// Invariants: every handle was reached from the target's own handle without following a link; a handle that `at` returned
// is good until the next call, so every use is synchronous.

import type { Handle, Platform } from "../platform/port.ts";

const openMax = 64;
const slash = 0x2f;

export class TargetDirectories {
  readonly #platform: Platform;
  readonly #root: Handle;
  readonly #open = new Map<string, Handle>();

  constructor(platform: Platform, root: Handle) {
    this.#platform = platform;
    this.#root = root;
  }

  /** The directory at a path below the target. @throws SystemError */
  at(path: Buffer): Handle {
    if (path.length === 0) return this.#root;
    const key = path.toString("latin1");
    const known = this.#open.get(key);
    if (known !== undefined) {
      this.#open.delete(key);
      this.#open.set(key, known);
      return known;
    }
    const cut = path.lastIndexOf(slash);
    const parent = cut < 0 ? this.#root : this.#open.get(path.toString("latin1", 0, cut));
    const handle =
      parent === undefined
        ? this.#platform.openDirectoryAt(this.#root, path)
        : this.#platform.openDirectoryAt(parent, path.subarray(cut + 1));
    this.#open.set(key, handle);
    for (const [oldest, other] of this.#open) {
      if (this.#open.size <= openMax) break;
      this.#open.delete(oldest);
      this.#platform.close(other);
    }
    return handle;
  }

  /** Closes everything but the target itself. */
  close(): void {
    for (const handle of this.#open.values()) this.#platform.close(handle);
    this.#open.clear();
  }
}

/** The path of a name in a directory below the target. */
export function childPath(directory: Buffer, name: Uint8Array): Buffer {
  if (directory.length === 0) return Buffer.from(name);
  const path = Buffer.allocUnsafe(directory.length + 1 + name.length);
  path.set(directory);
  path[directory.length] = slash;
  path.set(name, directory.length + 1);
  return path;
}
