// Reads directory pages in the order of the walk before the walk comes to them, many to a request: a walk that asks as it goes
// makes a request for nearly every folder.
//
// Only speed hangs on it: what is read lands in the opener's cache, and what is not there when the walk wants it is read then. Invariants:
// `#ahead` has the pages that were asked for and not passed, a bounded number; folders of several pages are left to the walk.

import { isDamage } from "../../fs/view/damage.ts";
import { subdirectories } from "../../fs/view/subdirectories.ts";
import type { TreeReader } from "../../fs/view/treeReader.ts";
import { asBuffer } from "../../vault/bytes.ts";
import { BranchPage, type Page } from "../../vault/tree/page.ts";

const MiB = 1024 * 1024;
const pagesMax = 512;
const bytesMax = 6 * MiB;
const pagesPerRequest = 128;
const requestsAtOnce = 2;

export class PagesAhead {
  readonly #tree: TreeReader;
  readonly #signal: AbortSignal;
  /** Pages to ask for; the one that the walk reaches first is the last. */
  #wanted: Buffer[] = [];
  /** Bytes of each page that was asked for, 0 until it is here. */
  readonly #ahead = new Map<string, number>();
  #bytes = 0;
  #underWay = 0;

  constructor(tree: TreeReader, signal: AbortSignal) {
    this.#tree = tree;
    this.#signal = signal;
  }

  /** The walk is at this leaf page, or passes over the folder that begins with it. */
  passed(id: Uint8Array): void {
    const key = keyOf(id);
    const bytes = this.#ahead.get(key);
    if (bytes === undefined) this.#overtaken(id);
    else {
      this.#ahead.delete(key);
      this.#bytes -= bytes;
    }
    this.#ask();
  }

  /** The walk was here first: what comes before is of no use any more, and what is below is wanted next. */
  #overtaken(id: Uint8Array): void {
    const at = this.#wanted.findLastIndex((wanted) => wanted.equals(id));
    if (at >= 0) this.#wanted.length = at;
    if (this.#isFull()) {
      // Pages of folders that the walk passed over.
      this.#ahead.clear();
      this.#bytes = 0;
    }
    void this.#read([Buffer.from(id)], false);
  }

  #isFull(): boolean {
    // Not for a few pages at a time: a request costs more than they do.
    return this.#ahead.size > pagesMax - pagesPerRequest || this.#bytes >= bytesMax;
  }

  #ask(): void {
    while (this.#underWay < requestsAtOnce && this.#wanted.length > 0 && !this.#isFull()) {
      if (this.#signal.aborted) return;
      void this.#read(this.#wanted.splice(-pagesPerRequest).reverse(), true);
    }
  }

  async #read(ids: readonly Buffer[], toCome: boolean): Promise<void> {
    this.#underWay += 1;
    if (toCome) for (const id of ids) this.#ahead.set(keyOf(id), 0);
    const pages = await Promise.allSettled(ids.map((id) => this.#tree.page(id)));
    this.#underWay -= 1;
    for (let index = ids.length - 1; index >= 0; index--) {
      const page = pages[index];
      if (page?.status !== "fulfilled") continue;
      try {
        this.#landed(ids[index] as Buffer, page.value);
      } catch (error) {
        // As with pages that could not be read at all: to say so is for the walk.
        if (!isDamage(error)) throw error;
      }
    }
    this.#ask();
  }

  #landed(id: Buffer, page: Page): void {
    const key = keyOf(id);
    const isAhead = this.#ahead.has(key);
    if (page instanceof BranchPage) {
      // The walk tells of leaf pages only.
      this.#ahead.delete(key);
      for (let row = page.rowCount - 1; row >= 0; row--) {
        this.#wanted.push(Buffer.from(page.ref(page.child(row).ordinal).id));
      }
      return;
    }
    if (isAhead) {
      this.#ahead.set(key, page.bytes.length);
      this.#bytes += page.bytes.length;
    }
    const below = subdirectories(page).map(({ id }) => Buffer.from(id));
    this.#wanted.push(...below.reverse());
  }
}

function keyOf(id: Uint8Array): string {
  return asBuffer(id).toString("latin1");
}
