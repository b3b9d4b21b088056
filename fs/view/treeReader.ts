// Reads directories of a snapshot: an entry by name, entries from a place on, a path from the root.
//
// Everything a page claims is checked against what named it (level, lowest name, number of rows), so that a hostile tree
// can cost no more than what its pages really hold. Entries come out with ids in place of ordinals; their buffers
// are views of the page, and `detached` copies what is kept for longer.

import { compareBytes, equalBytes } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";
import { RecordType } from "../../vault/magic.ts";
import { type ChunkRef, type EntryDraft, EntryKind } from "../../vault/tree/entry.ts";
import { BranchPage, LeafPage, type Page, parsePage } from "../../vault/tree/page.ts";
import { parseXattrs, type Xattr } from "../../vault/tree/xattrs.ts";
import type { OpenedRecord } from "./plaintextCache.ts";
import type { RecordOpener } from "./recordOpener.ts";
import type { Soon } from "./rows.ts";
import { subdirectories } from "./subdirectories.ts";

/** An entry of a directory with ids in place of ordinals. */
export type TreeEntry = EntryDraft;

/** A run of rows in one leaf page, `id`. `first` is the number of row `from` in the whole directory. */
export type LeafRows = {
  readonly id: Uint8Array;
  readonly page: LeafPage;
  readonly from: number;
  readonly first: number;
};

const parsedPages = new WeakMap<OpenedRecord, Page>();

function corrupt(message: string): HoldfastError {
  return new HoldfastError(ErrorCode.corrupt, message);
}

export class TreeReader {
  readonly opener: RecordOpener;

  constructor(opener: RecordOpener) {
    this.opener = opener;
  }

  /** A directory page by id. @throws HoldfastError chunk-missing, chunk-damaged, corrupt */
  async page(id: Uint8Array, signal?: AbortSignal): Promise<Page> {
    return parsed(await this.opener.open(id, RecordType.directory, signal));
  }

  /** A directory page that is in memory. */
  pageNow(id: Uint8Array): Page | undefined {
    const record = this.opener.opened(id, RecordType.directory);
    return record === undefined ? undefined : parsed(record);
  }

  /** The entry of this name in the directory whose root page is `directory`, or undefined. */
  async lookup(
    directory: Uint8Array,
    name: Uint8Array,
    signal?: AbortSignal,
  ): Promise<TreeEntry | undefined> {
    let page = await this.page(directory, signal);
    while (page instanceof BranchPage) {
      const row = page.childFor(name);
      if (row < 0) return undefined;
      page = await this.#child(page, row, signal);
    }
    const row = page.indexOf(name);
    return row < 0 ? undefined : page.draft(row);
  }

  /** The leaf page that holds row number `row` of a directory; undefined past its end. */
  leafAt(directory: Uint8Array, row: number): Soon<LeafRows | undefined> {
    const root = this.pageNow(directory);
    if (root !== undefined) return this.#leafBelow(directory, root, row, 0);
    const id = Buffer.from(directory);
    return this.page(id).then((page) => this.#leafBelow(id, page, row, 0));
  }

  /** Row `row` below a page, whose own first row has number `first` in the directory. */
  #leafBelow(rootId: Uint8Array, root: Page, row: number, first: number): Soon<LeafRows | undefined> {
    let id = rootId;
    let page = root;
    let before = first;
    while (page instanceof BranchPage) {
      const branch: BranchPage = page;
      const at = branch.childOfEntry(row - before);
      if (at < 0) return undefined;
      before += branch.rowsBefore(at);
      this.#prefetchAfter(branch, at);
      const below = childId(branch, at);
      const child = this.#childNow(branch, at);
      if (child === undefined) {
        const start = before;
        return this.#child(branch, at, undefined).then((found) => this.#leafBelow(below, found, row, start));
      }
      id = below;
      page = child;
    }
    const from = row - before;
    return from < page.rowCount ? { id, page, from, first: row } : undefined;
  }

  /** The row of this name in a directory, as leafAt gives it; undefined where there is none. */
  find(directory: Uint8Array, name: Uint8Array): Soon<LeafRows | undefined> {
    const root = this.pageNow(directory);
    if (root !== undefined) return this.#findBelow(directory, root, name, 0);
    const id = Buffer.from(directory);
    return this.page(id).then((page) => this.#findBelow(id, page, name, 0));
  }

  #findBelow(rootId: Uint8Array, root: Page, name: Uint8Array, first: number): Soon<LeafRows | undefined> {
    let id = rootId;
    let page = root;
    let before = first;
    while (page instanceof BranchPage) {
      const branch: BranchPage = page;
      const at = branch.childFor(name);
      if (at < 0) return undefined;
      before += branch.rowsBefore(at);
      const below = childId(branch, at);
      const child = this.#childNow(branch, at);
      if (child === undefined) {
        const start = before;
        return this.#child(branch, at, undefined).then((found) => this.#findBelow(below, found, name, start));
      }
      id = below;
      page = child;
    }
    const from = page.indexOf(name);
    return from < 0 ? undefined : { id, page, from, first: before + from };
  }

  /** Leaf pages of a directory in order, starting with the one that holds row number `from`. */
  async *leaves(directory: Uint8Array, from = 0, signal?: AbortSignal): AsyncGenerator<LeafRows, void, void> {
    const root = await this.page(directory, signal);
    yield* this.#leavesBelow(directory, root, from, 0, signal);
  }

  async *#leavesBelow(
    id: Uint8Array,
    page: Page,
    from: number,
    first: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<LeafRows, void, void> {
    if (page instanceof LeafPage) {
      if (from < page.rowCount) yield { id, page, from, first: first + from };
      return;
    }
    let passed = 0;
    for (let row = 0; row < page.rowCount; row++) {
      const { rows, ordinal } = page.child(row);
      if (from < passed + rows) {
        this.#prefetchAfter(page, row);
        const child = await this.#child(page, row, signal);
        const { id: below } = page.ref(ordinal);
        yield* this.#leavesBelow(below, child, Math.max(0, from - passed), first + passed, signal);
      }
      passed += rows;
    }
  }

  /** Siblings are wanted next: they go with the request of the first. */
  #prefetchAfter(page: BranchPage, row: number): void {
    if (row % prefetchPages !== 0) return;
    const ids: Buffer[] = [];
    for (let next = row; next < Math.min(page.rowCount, row + prefetchPages); next++) {
      ids.push(page.ref(page.child(next).ordinal).id);
    }
    this.opener.prefetch(ids, RecordType.directory);
  }

  /**
   * All entries of a directory in order of name. With `descending` the caller will go into its subdirectories: their pages are
   * asked for together.
   */
  async *entries(
    directory: Uint8Array,
    signal?: AbortSignal,
    descending = false,
  ): AsyncGenerator<TreeEntry, void, void> {
    for await (const { page, from } of this.leaves(directory, 0, signal)) {
      if (descending) {
        this.opener.prefetch(
          subdirectories(page).map(({ id }) => id),
          RecordType.directory,
        );
      }
      for (let row = from; row < page.rowCount; row++) yield page.draft(row);
    }
  }

  /** How many entries a directory has. */
  async rowCount(directory: Uint8Array, signal?: AbortSignal): Promise<number> {
    const page = await this.page(directory, signal);
    return rowsBelow(page);
  }

  #childNow(page: BranchPage, row: number): Page | undefined {
    const child = this.pageNow(page.ref(page.child(row).ordinal).id);
    return child === undefined ? undefined : checkedChild(page, row, child);
  }

  async #child(page: BranchPage, row: number, signal: AbortSignal | undefined): Promise<Page> {
    const child = await this.page(page.ref(page.child(row).ordinal).id, signal);
    return checkedChild(page, row, child);
  }

  /**
   * The entry at a path of names below `root`; an empty path is an error of the caller's.
   * @throws HoldfastError not-found where a name is not there or is below something that is no directory
   */
  async walk(root: Uint8Array, names: readonly Uint8Array[], signal?: AbortSignal): Promise<TreeEntry> {
    let directory = root;
    let entry: TreeEntry | undefined;
    if (names.length > limits.directoryDepthMax) throw notThere(names);
    for (const [index, name] of names.entries()) {
      entry = await this.lookup(directory, name, signal);
      if (entry === undefined) throw notThere(names);
      if (index + 1 === names.length) return entry;
      if (entry.child === undefined) throw notThere(names);
      directory = entry.child.id;
    }
    throw new RangeError("walk: an empty path");
  }

  /** The extended attributes of an entry. */
  async xattrs(entry: TreeEntry, signal?: AbortSignal): Promise<readonly Xattr[]> {
    return this.xattrsOf(entry.xattrs, signal);
  }

  async xattrsOf(xattrs: TreeEntry["xattrs"], signal?: AbortSignal): Promise<readonly Xattr[]> {
    if (xattrs.form === "none") return [];
    if (xattrs.form === "inline") return xattrs.list;
    return parseXattrs((await this.opener.open(xattrs.id, RecordType.xattrs, signal)).plaintext);
  }
}

/** The child page that a row names, if it is what the row says. @throws HoldfastError corrupt */
function checkedChild(page: BranchPage, row: number, child: Page): Page {
  const { lowestName, rows } = page.child(row);
  if (child.level !== page.level - 1) throw corrupt(`page of level ${child.level} below ${page.level}`);
  if (child.rowCount === 0 || !equalBytes(child.nameAt(0), lowestName)) {
    throw corrupt("a page does not begin with the name that stands for it");
  }
  if (rowsBelow(child) !== rows) throw corrupt("a page has another number of entries than it is said to");
  const next = row + 1 < page.rowCount ? page.nameAt(row + 1) : undefined;
  if (next !== undefined && compareBytes(child.nameAt(child.rowCount - 1), next) >= 0) {
    throw corrupt("names out of order across pages");
  }
  return child;
}

const prefetchPages = 16;

function notThere(names: readonly Uint8Array[]): HoldfastError {
  const path = names.map((name) => Buffer.from(name).toString("utf8")).join("/");
  return new HoldfastError(ErrorCode.notFound, `/${path} is not in this snapshot`, {
    next: "List the folder above it to see what is there.",
  });
}

function childId(page: BranchPage, row: number): Buffer {
  return page.ref(page.child(row).ordinal).id;
}

function rowsBelow(page: Page): number {
  return page instanceof LeafPage ? page.rowCount : page.rowsBefore(page.rowCount);
}

/** The page in an opened record; parsed once as long as the cache keeps the record. */
function parsed(record: OpenedRecord): Page {
  const known = parsedPages.get(record);
  if (known !== undefined) return known;
  const page = parsePage(record.plaintext, record.refs);
  parsedPages.set(record, page);
  return page;
}

/** The same id in memory of its own. */
export function detachedRef<Ref extends ChunkRef>(ref: Ref): Ref {
  return { ...ref, id: Buffer.from(ref.id) };
}

/** True for entries whose names share one inode: hard links of something that is not a directory. */
export function isLinked(entry: TreeEntry): boolean {
  return entry.linkCount > 1 && entry.kind !== EntryKind.directory;
}
