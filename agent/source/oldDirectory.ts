// Directories of the trees that a walk compares with: the item's own previous one, and a reference.

import type { ChunkRef } from "../../vault/tree/entry.ts";
import type { PreviousDirectory } from "./directoryBuild.ts";
import { PreviousCursor, type PreviousRow, type PreviousTree } from "./previousTree.ts";

type Root = ChunkRef & { readonly id: Buffer };

/** The root pages of one directory in the two trees, where they have it. */
export type OldRoots = { readonly previous: Root | undefined; readonly reference: Root | undefined };

export async function leavesOf(
  tree: PreviousTree | undefined,
  root: Root | undefined,
): Promise<PreviousDirectory | undefined> {
  if (tree === undefined || root === undefined) return undefined;
  return { tree, id: root.id, plainLength: root.plainLength, leaves: await tree.leaves(root.id) };
}

export function cursorOf(directory: PreviousDirectory | undefined): PreviousCursor | undefined {
  return directory === undefined ? undefined : new PreviousCursor(directory.tree, directory.leaves.ids);
}

/** What a row has below it, where it is a directory. */
export function childOf(old: PreviousRow | undefined): Root | undefined {
  const child = old?.page.entry(old.row).child;
  return child === undefined ? undefined : old?.page.ref(child.ordinal);
}
