// Which path of an archive holds the content of a file with several names, so that its other names become links to it.
//
// Invariant: what is remembered stays within a bound. A file whose names have all come by is forgotten; beyond the bound files
// are not remembered, and their names become files of their own, of which the caller is told.

import type { Attributes } from "../view/view.ts";

/** About what a remembered file costs besides its path. */
const entryBytes = 160;
const bytesMaxUsual = 64 * 1024 * 1024;

type First = { readonly path: string; readonly mtimeNs: bigint; readonly size: bigint; left: number };

export type LinkPlace =
  /** The first name, or the only one: comes with its content. */
  | { readonly state: "first" }
  | { readonly state: "link"; readonly to: Buffer }
  /** It has other names, and there was no room to remember where. */
  | { readonly state: "forgotten" };

export class HardLinks {
  readonly #files = new Map<bigint, First>();
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax = bytesMaxUsual) {
    this.#bytesMax = bytesMax;
  }

  /** Takes in the next name in the archive's order. Directories have no links. */
  place({ kind, linkCount, inode, mtimeNs, size }: Attributes, path: Buffer): LinkPlace {
    if (linkCount < 2 || kind === "directory") return { state: "first" };
    const known = this.#files.get(inode);
    // Numbers are hashes: two files that shared one by chance would not agree in these as well.
    if (known !== undefined && known.mtimeNs === mtimeNs && known.size === size) {
      known.left -= 1;
      if (known.left === 0) this.#forget(inode, known);
      return { state: "link", to: Buffer.from(known.path, "latin1") };
    }
    if (known !== undefined || this.#bytes + entryBytes + path.length > this.#bytesMax) {
      return { state: "forgotten" };
    }
    this.#files.set(inode, { path: path.toString("latin1"), mtimeNs, size, left: linkCount - 1 });
    this.#bytes += entryBytes + path.length;
    return { state: "first" };
  }

  #forget(inode: bigint, { path }: First): void {
    this.#files.delete(inode);
    this.#bytes -= entryBytes + path.length;
  }
}
