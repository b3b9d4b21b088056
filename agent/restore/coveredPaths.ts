// Which directories below the target lie at or below a path that was backed up: there the snapshot knows everything.

import { equalBytes } from "../../vault/bytes.ts";
import { childPath } from "./targetDirectories.ts";

const slash = 0x2f;

export class CoveredPaths {
  /** As the names from the root. */
  readonly #tops: readonly Buffer[];
  readonly #snapshotPath: Buffer;

  /**
   * @param tops paths that were backed up
   * @param snapshotPath what the target stands for
   */
  constructor(tops: readonly Buffer[], snapshotPath: Buffer) {
    this.#tops = tops.map(withoutSlashes);
    this.#snapshotPath = snapshotPath;
  }

  /** @param path below the target */
  has(path: Buffer): boolean {
    const whole = this.#snapshotPath.length === 0 ? path : childPath(this.#snapshotPath, path);
    const full = withoutSlashes(whole);
    return this.#tops.some(
      (top) =>
        top.length === 0 ||
        equalBytes(top, full) ||
        (full.length > top.length &&
          full[top.length] === slash &&
          equalBytes(full.subarray(0, top.length), top)),
    );
  }
}

function withoutSlashes(path: Buffer): Buffer {
  let start = 0;
  let end = path.length;
  while (start < end && path[start] === slash) start++;
  while (end > start && path[end - 1] === slash) end--;
  return path.subarray(start, end);
}
