// A random choice of files of a snapshot, by a seed: the same seed draws the same of the same snapshots.

import { createHash } from "node:crypto";
import type { SnapshotTree } from "../../agent/inspect/snapshotTree.ts";
import { joined } from "../../agent/inspect/walkTree.ts";
import type { TreeEntry } from "../../fs/view/treeReader.ts";
import { EntryKind } from "../../vault/tree/entry.ts";

/** Numbers from 0 on, below 1, that follow from a seed. */
export class SeededNumbers {
  readonly #seed: string;
  #count = 0;

  constructor(seed: string) {
    this.#seed = seed;
  }

  next(): number {
    const digest = createHash("sha256")
      .update(`${this.#seed} ${this.#count++}`)
      .digest();
    return digest.readUIntBE(0, 6) / 2 ** 48;
  }

  /** A whole number below `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }
}

export type DrawnFile = { readonly path: Buffer; readonly entry: TreeEntry };

/**
 * One file with content, each as likely as any other as far as folders say how many files they have. Undefined where the draw came to a folder without one.
 * @throws HoldfastError chunk-missing, chunk-damaged, corrupt for a page that cannot be read
 */
export async function drawFile(
  { header, tree }: SnapshotTree,
  numbers: SeededNumbers,
  signal: AbortSignal,
): Promise<DrawnFile | undefined> {
  let directory: Uint8Array = header.root;
  let path: Buffer = Buffer.alloc(0);
  for (;;) {
    let drawn: TreeEntry | undefined;
    let weight = 0;
    for await (const entry of tree.entries(directory, signal)) {
      const own = weightOf(entry);
      weight += own;
      if (own > 0 && numbers.next() * weight < own) drawn = entry;
    }
    if (drawn === undefined) return undefined;
    path = joined(path, drawn.name);
    if (drawn.child === undefined) return { path, entry: drawn };
    directory = Buffer.from(drawn.child.id);
  }
}

function weightOf({ kind, size = 0, child }: TreeEntry): number {
  if (child !== undefined) return child.files;
  return kind === EntryKind.file && size > 0 ? 1 : 0;
}
