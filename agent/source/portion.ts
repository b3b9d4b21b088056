// What one run may read where it was told a limit (--limit-size, --limit-time), and what became of it.
//
// Invariants:
//  - A limit stops the run before a file, never within one: a file that was begun is stored whole.
//  - A run leaves out something only after a file that its base lacks was stored. So each portion has more than the one before it, however
//    small the limit, however many files change all the time or cannot be read, and a cycle of portions ends.
//  - Once one file was left out, so is everything after it that the base does not have as it is now (`closed`).

/** Undefined: no limit of this kind. Without any, a run's portion is everything. */
export type PortionLimits = {
  /** Bytes of the files that are read. */
  readonly bytesMax: number | undefined;
  readonly timeMs: number | undefined;
};

export const noLimits: PortionLimits = { bytesMax: undefined, timeMs: undefined };

/** Where a run stopped: at which limit, and the path of the first file that was left out. */
export type Stopped = { readonly limit: "size" | "time"; readonly path: Buffer };

export class Portion {
  /** Of a series that began with the first incomplete snapshot after a complete one; the complete one that ends it counts as well. */
  readonly number: number;
  /** Once something was left out: the snapshot is then incomplete. */
  stopped: Stopped | undefined;
  readonly #limits: PortionLimits;
  readonly #nowMs: () => number;
  readonly #startedMs: number;
  #bytes = 0;
  /** Files that are read now, of those that the base lacks. */
  #underWay = 0;
  /** Whether a file that the base lacks was stored. */
  #stored = false;
  #waiting: (() => void)[] = [];

  /** @param nowMs a clock that never goes back */
  constructor(number: number, limits: PortionLimits, nowMs: () => number) {
    this.number = number;
    this.#limits = limits;
    this.#nowMs = nowMs;
    this.#startedMs = nowMs();
  }

  /** True once something was left out. */
  get closed(): boolean {
    return this.stopped !== undefined;
  }

  /** Whether a file of this size may be read. "wait": that depends on what is being read; ask again after `settlement`. */
  ask(size: number): "take" | "leave" | "wait" {
    if (this.closed) return "leave";
    if (this.#reached(size) === undefined) return "take";
    if (this.#stored) return "leave";
    return this.#underWay > 0 ? "wait" : "take";
  }

  /** A file is going to be read; tell how it ended with `settle`. `isNew`: the base does not have it. */
  take(size: number, isNew: boolean): void {
    this.#bytes += size;
    if (isNew) this.#underWay += 1;
  }

  /** What cannot be read does not count. */
  settle(size: number, isNew: boolean, read: boolean): void {
    if (!read) this.#bytes -= size;
    if (!isNew) return;
    this.#underWay -= 1;
    if (read) this.#stored = true;
    if (this.#waiting.length > 0) for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Resolves with the next `settle` of a file that the base lacks, also where that is within `hasten`. */
  settlement(hasten: () => void): Promise<void> {
    const settled = new Promise<void>((resolve) => this.#waiting.push(resolve));
    hasten();
    return settled;
  }

  /** A file is left out. `path` is called for the first only. */
  leave(size: number, path: () => Buffer): void {
    if (this.closed) return;
    this.stopped = { limit: this.#reached(size) ?? "size", path: path() };
  }

  /** The limit that reading so much more would pass. */
  #reached(size: number): Stopped["limit"] | undefined {
    const { bytesMax, timeMs } = this.#limits;
    if (timeMs !== undefined && this.#nowMs() - this.#startedMs >= timeMs) return "time";
    // Empty files go with the others up to the limit, and not beyond it.
    if (bytesMax !== undefined && (this.#bytes + size > bytesMax || this.#bytes >= bytesMax)) return "size";
    return undefined;
  }
}
