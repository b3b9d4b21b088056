// Reads the content of the files that a walk (tar, cp -r, a virus scanner) will read next, across files and directories.
//
// Whoever reads two neighbours gets what follows them, in the order of a walk that goes deep first, and ever more of it as they go on.
// Small files lie together in chunks in that order, so a cold walk becomes a few large requests.
//
// Invariants: a walk is ahead of its reader by at most its window, which is a quarter of the cache at most, so that what was read
// ahead is still there when it is wanted; failures show to whoever opens the file, never here.

import type { ContentReader } from "./contentReader.ts";
import { ContentWalk, type Frame, fileKey, keyOf, windowBytesMin } from "./contentWalk.ts";
import { keepNewest } from "./newest.ts";
import type { FileTaker, ReadyFile } from "./readyFiles.ts";
import type { TreeReader } from "./treeReader.ts";

const windowBytesMax = 16 * 1024 * 1024;
const walksMax = 8;
/** Rows between two files that still are neighbours. */
const nearRows = 64;
const parentsMax = 4096;
const recentMax = 64;

type Place = { readonly directory: Buffer; readonly row: number };

/** Follows the walks of one snapshot's readers. */
export class ContentAhead {
  readonly #tree: TreeReader;
  readonly #content: ContentReader;
  readonly #of: object;
  readonly #takers: ReadonlySet<FileTaker>;
  readonly #windowMax: number;
  /** Where a directory's page hangs, as it was come by last. */
  readonly #parents = new Map<string, Place>();
  /** Row that was read last, by directory. */
  readonly #recent = new Map<string, number>();
  /** The one that was used last comes last. */
  readonly #walks: ContentWalk[] = [];

  /**
   * @param of what its directories have for a tree
   * @param takers get small files as soon as they are in memory
   */
  constructor(tree: TreeReader, content: ContentReader, of: object, takers: ReadonlySet<FileTaker>) {
    this.#tree = tree;
    this.#content = content;
    this.#of = of;
    this.#takers = takers;
    this.#windowMax = Math.min(windowBytesMax, Math.floor(tree.opener.dataBytesMax / 4));
  }

  /** Somebody came from row `row` of a directory to the directory whose root page is `child`. */
  entered(child: Uint8Array, directory: Buffer, row: number): void {
    keepNewest(this.#parents, keyOf(child), { directory, row }, parentsMax);
  }

  /** Somebody who takes files has listed a directory: the files in it are of use now. */
  listed(directory: Uint8Array): void {
    const key = keyOf(directory);
    for (const walk of this.#walks) walk.listed(key);
  }

  #take(file: Omit<ReadyFile, "tree">): boolean {
    let taken = false;
    for (const take of this.#takers) if (take({ tree: this.#of, ...file })) taken = true;
    return taken;
  }

  /** Somebody reads the start of the file in row `row` of a directory, or all of it. */
  reading(directory: Buffer, row: number): void {
    const key = keyOf(directory);
    const file = fileKey(key, row);
    for (let index = this.#walks.length - 1; index >= 0; index--) {
      const walk = this.#walks[index] as ContentWalk;
      if (!walk.advance(file)) continue;
      this.#walks.splice(index, 1);
      this.#walks.push(walk);
      return;
    }
    const near = this.#isNear(key, row);
    keepNewest(this.#recent, key, row, recentMax);
    if (!near || this.#windowMax < windowBytesMin) return;
    if (this.#walks.length === walksMax) this.#walks.shift()?.stop();
    const walk = new ContentWalk({
      tree: this.#tree,
      content: this.#content,
      take: (file) => this.#take(file),
      windowMax: this.#windowMax,
      frames: this.#framesTo(directory, row + 1),
    });
    this.#walks.push(walk);
    walk.start();
  }

  /** Whether a file in the same directory, the one above or one beside it was read shortly before. */
  #isNear(key: string, row: number): boolean {
    const known = this.#recent.get(key);
    if (known !== undefined) return row > known && row - known <= nearRows;
    const parent = this.#parents.get(key);
    if (parent === undefined) return false;
    const above = keyOf(parent.directory);
    if (this.#recent.has(above)) return true;
    for (const recent of this.#recent.keys()) {
      const other = this.#parents.get(recent);
      if (other === undefined || keyOf(other.directory) !== above) continue;
      if (parent.row > other.row && parent.row - other.row <= nearRows) return true;
    }
    return false;
  }

  /** The way from the top to a row, as far as it is known; rows of the directories above are those behind the way. */
  #framesTo(directory: Buffer, row: number): Frame[] {
    const frames: Frame[] = [{ directory, row, leaf: undefined }];
    let key = keyOf(directory);
    for (let depth = 0; depth < 256; depth++) {
      const parent = this.#parents.get(key);
      if (parent === undefined) break;
      frames.unshift({ directory: parent.directory, row: parent.row + 1, leaf: undefined });
      key = keyOf(parent.directory);
    }
    return frames;
  }
}
