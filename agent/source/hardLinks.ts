// Files with several names are read once per run: the first name that the walk meets reads, the others wait for it.
// Entries go when the last name was seen, so memory holds only groups that are still incomplete.

import type { FileRead } from "./fileIntake.ts";

type Group = {
  left: number;
  read: FileRead | undefined;
  waiting: ((read: FileRead) => void)[];
};

export class HardLinks {
  readonly #groups = new Map<string, Group>();

  /** Joins a group that was started; false when this name is the first. `done` may be called at once. */
  join(key: string, done: (read: FileRead) => void): boolean {
    const group = this.#groups.get(key);
    if (group === undefined) return false;
    group.left -= 1;
    if (group.read !== undefined) done(group.read);
    else group.waiting.push(done);
    this.#forget(key, group);
    return true;
  }

  /** This name reads for the others; `linkCount` names exist. */
  start(key: string, linkCount: number): void {
    this.#groups.set(key, { left: linkCount - 1, read: undefined, waiting: [] });
  }

  /** The content is known. */
  settle(key: string, read: FileRead): void {
    const group = this.#groups.get(key);
    if (group === undefined) return;
    group.read = read;
    for (const done of group.waiting.splice(0)) done(read);
    this.#forget(key, group);
  }

  #forget(key: string, group: Group): void {
    if (group.left <= 0 && group.read !== undefined) this.#groups.delete(key);
  }
}
