// Which small files share a chunk (docs/format.md 6.1). Pure: it sees sizes, owners and names, never content.
//
// Invariant: the open bundle holds `bytes` <= 1 MiB of `files` <= 2,048 files of one owner; after a keyed
// boundary or before its first file there is no open bundle (`files` = 0).
import { limits } from "../limits.ts";
import { splitHash } from "./split.ts";

/** What the rule needs to know about a file: 1 byte to 256 KiB, also one with holes, which counts though it is no part of the bundle. */
export type BundledFile = { readonly uid: number; readonly size: number; readonly name: Uint8Array };

/** Whether a file of this size goes into a bundle. */
export function isBundled(size: number): boolean {
  return size > 0 && size <= limits.bundledFileBytesMax;
}

/** Decides file by file, in walk order, where bundles begin and end. */
export class BundlePlanner {
  readonly #splitTable: Uint32Array;
  #uid = 0;
  #files = 0;
  #bytes = 0;
  #ended = false;

  constructor(splitTable: Uint32Array) {
    this.#splitTable = splitTable;
  }

  /** Takes the next file: "startNew" when the open bundle, if any, ends before it. */
  add(file: BundledFile): "append" | "startNew" {
    if (!isBundled(file.size)) throw new Error(`a file of ${file.size} bytes is not bundled`);
    const fits =
      !this.#ended &&
      this.#files > 0 &&
      this.#files < limits.bundleFilesMax &&
      this.#uid === file.uid &&
      this.#bytes + file.size <= limits.bundleBytesMax;
    if (!fits) {
      this.#uid = file.uid;
      this.#files = 0;
      this.#bytes = 0;
    }
    this.#files++;
    this.#bytes += file.size;
    this.#ended = this.#bytes >= limits.bundleBytesMin && splitHash(file.name, this.#splitTable) >>> 30 === 0;
    return fits ? "append" : "startNew";
  }

  /** Whether the open bundle is complete with the file that was added last: it can be sealed at once. */
  endsAfter(): boolean {
    return this.#ended;
  }
}
