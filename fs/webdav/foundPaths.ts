// Where paths inside snapshots led: clients read one file in thousands of pieces, and each names the whole path.
//
// Invariants: only what can never change is kept, below the node that it hangs from, for one user's permissions; everything is forgotten
// when a vault is locked; at most `pathsMax` for each snapshot that is open.

import { keepNewest } from "../view/newest.ts";
import type { View, ViewNode } from "../view/view.ts";
import type { Resource } from "./resource.ts";

const pathsMax = 32;

/** A node on the way, and how it was reached. */
export type Found = Pick<Resource, "node" | "chain" | "direct">;

export class FoundPaths {
  #below = new WeakMap<ViewNode, Map<string, Found>>();

  constructor(view: View) {
    view.onClosed(() => {
      this.#below = new WeakMap();
    });
  }

  get(root: ViewNode, key: string): Found | undefined {
    return this.#below.get(root)?.get(key);
  }

  keep(root: ViewNode, key: string, found: Found): void {
    const known = this.#below.get(root) ?? new Map<string, Found>();
    this.#below.set(root, known);
    keepNewest(known, key, found, pathsMax);
  }
}

/** What the place of `names` depends on: who may enter what, and how the node above them was come to. */
export function foundKey(
  direct: boolean,
  names: readonly Buffer[],
  asUser: { readonly uid: number; readonly gids: readonly number[] } | undefined,
): string {
  const user = asUser === undefined ? "" : `${asUser.uid} ${asUser.gids.join(" ")}`;
  // No name has a slash or NUL in it.
  return `${user}\0${direct}\0${names.map((name) => name.toString("latin1")).join("/")}`;
}
