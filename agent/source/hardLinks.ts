// Files with several names are read once per run: the first name that the walk meets reads, the others wait for it.
//
// Entries go when the last name was seen. Groups that have names outside the backup never are complete, so the oldest of
// those that were read go when there are many: their next name is read again, which costs time and nothing else.

import type { FileRead } from "./fileIntake.ts";

type Group = {
  left: number;
  read: FileRead | undefined;
  waiting: ((read: FileRead) => void)[];
};

const readGroupsMax = 65_536;

export class HardLinks {
  readonly #groups = new Map<string, Group>();
  /** Keys of the groups whose content is known, oldest first. */
  readonly #read = new Set<string>();
  readonly #readMax: number;

  constructor(readMax = readGroupsMax) {
    this.#readMax = readMax;
  }

  /** Groups that are kept. */
  get size(): number {
    return this.#groups.size;
  }

  /** Whether a group was started and can be joined. */
  has(key: string): boolean {
    return this.#groups.has(key);
  }

  /** Joins a group that was started; false when this name is the first. `done` may be called at once. */
  join(key: string, done: (read: FileRead) => void): boolean {
    const group = this.#groups.get(key);
    if (group === undefined) return false;
    group.left -= 1;
    if (group.read === undefined) group.waiting.push(done);
    else {
      if (group.left <= 0) this.#forget(key);
      done(group.read);
    }
    return true;
  }

  /** This name reads for the others; `linkCount` names exist. */
  start(key: string, linkCount: number): void {
    this.#groups.set(key, { left: linkCount - 1, read: undefined, waiting: [] });
  }

  /** The outcome is known. Of a failure only those hear that wait already: the next name tries by itself. */
  settle(key: string, read: FileRead): void {
    const group = this.#groups.get(key);
    if (group === undefined) return;
    if (group.left <= 0 || read.outcome.failed !== undefined) this.#forget(key);
    else this.#keep(key, group, read);
    for (const done of group.waiting.splice(0)) done(read);
  }

  #keep(key: string, group: Group, read: FileRead): void {
    group.read = read;
    this.#read.add(key);
    if (this.#read.size <= this.#readMax) return;
    const oldest = this.#read.values().next().value;
    if (oldest !== undefined) this.#forget(oldest);
  }

  #forget(key: string): void {
    this.#groups.delete(key);
    this.#read.delete(key);
  }
}
