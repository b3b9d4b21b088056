// The rows of a folder that a walk is in, page by page, in the order of names.

import type { LeafRows, TreeEntry } from "../../fs/view/treeReader.ts";
import type { LeafPage } from "../../vault/tree/page.ts";
import type { RestoreFolder } from "./restoreFolder.ts";

export class FolderRows {
  readonly folder: RestoreFolder;
  readonly #leaves: AsyncGenerator<LeafRows, void, void>;
  readonly #passed: (id: Uint8Array) => void;
  #page: LeafPage | undefined;
  #row = 0;

  /** @param passed told of every page that the rows come to */
  constructor(
    folder: RestoreFolder,
    leaves: AsyncGenerator<LeafRows, void, void>,
    passed: (id: Uint8Array) => void,
  ) {
    this.folder = folder;
    this.#leaves = leaves;
    this.#passed = passed;
  }

  /** The next entry; undefined after the last one. @throws HoldfastError as TreeReader.leaves, and where a row is damaged */
  async next(): Promise<TreeEntry | undefined> {
    while (this.#page === undefined || this.#row === this.#page.rowCount) {
      const leaf = await this.#leaves.next();
      if (leaf.done === true) return undefined;
      this.#passed(leaf.value.id);
      this.#page = leaf.value.page;
      this.#row = leaf.value.from;
    }
    return this.#page.draft(this.#row++);
  }
}
