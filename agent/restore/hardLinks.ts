// Which names belong to one file. The first name of a file is restored with its content; the others become links to it
// once it is there. If it could not be restored, the next name takes its place.

import type { TreeEntry } from "../../fs/view/treeReader.ts";

export type LinkName = { readonly directory: Buffer; readonly name: Buffer };

export type LinkWaiter = {
  /** The file is at `first` now: make the link. */
  readonly link: (first: LinkName) => void;
  /** No name before this one could be restored: restore the file under this one. */
  readonly lead: () => void;
};

type State = {
  first: LinkName | undefined;
  leading: boolean;
  readonly waiters: LinkWaiter[];
  /** Names that have not come by yet. */
  left: number;
};

export class HardLinks {
  readonly #files = new Map<string, State>();

  /**
   * Takes in a name of a linked file: calls `lead` now for the first one, and later or now `link` for the others. Whoever was told to
   * lead must call `settled`.
   */
  add(entry: TreeEntry, waiter: LinkWaiter): void {
    const key = keyOf(entry);
    let state = this.#files.get(key);
    if (state === undefined) {
      state = { first: undefined, leading: false, waiters: [], left: entry.linkCount };
      this.#files.set(key, state);
    }
    state.left -= 1;
    if (state.first !== undefined) waiter.link(state.first);
    else state.waiters.push(waiter);
    this.#promote(key, state);
  }

  /** The leading name was restored, or not (undefined). */
  settled(entry: TreeEntry, first: LinkName | undefined): void {
    const key = keyOf(entry);
    const state = this.#files.get(key);
    if (state === undefined) return;
    state.leading = false;
    state.first = first;
    if (first !== undefined) for (const waiter of state.waiters.splice(0)) waiter.link(first);
    this.#promote(key, state);
  }

  #promote(key: string, state: State): void {
    if (state.first === undefined && !state.leading) {
      const next = state.waiters.shift();
      if (next !== undefined) {
        state.leading = true;
        next.lead();
      }
    }
    // All names came by and nothing waits: a tree with millions of links does not fill the memory.
    if (state.left <= 0 && !state.leading && state.waiters.length === 0) this.#files.delete(key);
  }
}

function keyOf(entry: TreeEntry): string {
  return `${entry.device}:${entry.inode}`;
}
