// What a URL stands for: a collection, a file, or a symbolic link shown as a small file.

import type { Attributes, ViewNode } from "../view/view.ts";

/** A directory inside a snapshot and the name it has there; the first of a chain is the snapshot's root. */
export type Step = { readonly name: Buffer; readonly node: ViewNode };

export type Resource = {
  /** Names below the front's base folder, as they were asked for. Empty: the base itself. */
  readonly path: readonly Buffer[];
  readonly kind: "collection" | "file" | "link";
  /** For a link that leads to a file of the snapshot: that file. */
  readonly node: ViewNode;
  readonly attributes: Attributes;
  /** Bytes of the body that a GET of a file or link gives. */
  readonly size: number;
  /** Of a symbolic link: where it points to. */
  readonly target?: Uint8Array;
  /** Inside a snapshot: the directories from its root to the one that holds this. Undefined above. */
  readonly chain: readonly Step[] | undefined;
  /** False when a link above snapshots (`latest`) was followed: tomorrow the same address shows another snapshot. */
  readonly direct: boolean;
};

/** True when its address can never show anything else. */
export function isSettled({ direct, chain }: Resource): boolean {
  return direct && chain !== undefined;
}

/** What the name of a resource looks like; bytes that are not UTF-8 become U+FFFD. */
export function shownName(resource: Resource): string {
  return resource.path.at(-1)?.toString("utf8") ?? "";
}
