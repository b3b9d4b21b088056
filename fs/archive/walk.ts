// Goes through a tree depth first, in the view's own order, without recursion: a hostile depth costs no stack.
//
// Directories that come next are read ahead, so that over a network one answer is not waited for after the other.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";
import type { DirectoryPage, DirectoryRow, View, ViewNode } from "../view/view.ts";
import { naming } from "./naming.ts";

const rowsPerPage = 256;
/** Directories of one level that are read before their turn. */
const directoriesAhead = 16;

export type WalkedNode = {
  /** Inside the archive, without a slash at either end, in memory of its own. */
  readonly path: Buffer;
  readonly node: ViewNode;
};

/**
 * The node under `path`, then everything below it. Without a path only what is below.
 * @throws HoldfastError limit-exceeded for directories nested too deeply, and what reading directories fails with, naming the path
 */
export async function* walkNodes(
  view: View,
  top: ViewNode,
  path: Buffer | undefined,
  signal?: AbortSignal,
): AsyncGenerator<WalkedNode, void, void> {
  if (path !== undefined) yield { path, node: top };
  if (top.attributes.kind !== "directory") return;
  const levels = [new Level(view, top, path ?? Buffer.alloc(0))];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    signal?.throwIfAborted();
    const row = await level.next();
    if (row === undefined) {
      levels.pop();
      continue;
    }
    const here = joined(level.path, row.name);
    yield { path: here, node: row.node };
    if (row.node.attributes.kind !== "directory") continue;
    if (levels.length > limits.directoryDepthMax) {
      throw naming(here, new HoldfastError(ErrorCode.limitExceeded, "directories nested too deeply"));
    }
    levels.push(new Level(view, row.node, here, level.takeAhead(row.node)));
  }
}

/** A directory that is being gone through. */
class Level {
  readonly path: Buffer;
  readonly #view: View;
  readonly #directory: ViewNode;
  /** First pages of directories that come next. */
  readonly #ahead = new Map<ViewNode, Promise<DirectoryPage>>();
  #rows: readonly DirectoryRow[] = [];
  #at = 0;
  #aheadAt = 0;
  /** The page to read when the rows are used up; undefined after the last one. */
  #page: (() => Promise<DirectoryPage>) | undefined;

  constructor(view: View, directory: ViewNode, path: Buffer, first?: Promise<DirectoryPage>) {
    this.path = path;
    this.#view = view;
    this.#directory = directory;
    this.#page = () => first ?? view.readPage(directory, 0n, rowsPerPage);
  }

  async next(): Promise<DirectoryRow | undefined> {
    while (this.#at === this.#rows.length) {
      if (this.#page === undefined) return undefined;
      try {
        const { rows, next } = await this.#page();
        this.#rows = rows;
        this.#at = 0;
        this.#aheadAt = 0;
        this.#page =
          next === undefined ? undefined : () => this.#view.readPage(this.#directory, next, rowsPerPage);
      } catch (error) {
        throw naming(this.path, error);
      }
    }
    const row = this.#rows[this.#at] as DirectoryRow;
    this.#readAhead();
    this.#at += 1;
    return row;
  }

  /** The first page of a directory of this level, when it is being read already. */
  takeAhead(directory: ViewNode): Promise<DirectoryPage> | undefined {
    const page = this.#ahead.get(directory);
    this.#ahead.delete(directory);
    return page;
  }

  #readAhead(): void {
    this.#aheadAt = Math.max(this.#aheadAt, this.#at);
    for (; this.#aheadAt < this.#rows.length && this.#ahead.size < directoriesAhead; this.#aheadAt++) {
      const { node } = this.#rows[this.#aheadAt] as DirectoryRow;
      if (node.attributes.kind !== "directory") continue;
      const page = this.#view.readPage(node, 0n, rowsPerPage);
      page.catch(() => undefined); // shows when it is this directory's turn
      this.#ahead.set(node, page);
    }
  }
}

/** A path with one more name. */
function joined(path: Buffer, name: Uint8Array): Buffer {
  if (path.length === 0) return Buffer.from(name);
  const whole = Buffer.allocUnsafe(path.length + 1 + name.length);
  whole.set(path);
  whole[path.length] = 0x2f;
  whole.set(name, path.length + 1);
  return whole;
}
