// The tree of the item's previous snapshot, or of a reference snapshot, read from the local page cache, else from the gateway.
// Every page is checked against its id wherever it comes from, so a wrong cache cannot put wrong rows into a new snapshot. A reference's
// tree may be another device's, so the work it can cause is bounded too: see `leaves` and `prefetch`.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { EntryKind } from "../../vault/tree/entry.ts";
import { BranchPage, LeafPage, type Page, parsePage } from "../../vault/tree/page.ts";
import type { CachedPage, PageCache } from "./pageCache.ts";

export type PageFetcher = {
  /** Reads directory pages from the gateway and opens them. Fails where one is not there or not right. */
  fetch(ids: readonly Buffer[]): Promise<CachedPage[]>;
};

/** Pages of one request: 2 MiB as a rule, 32 at worst. */
const fetchIdsMax = 256;
/** What filling the cache may cost in bytes of pages, each counted as at least `pageCostMin`, and in ids that wait. */
const fillCostMax = 2 ** 31;
const pageCostMin = 4096;
const fillOpenMax = 1_000_000;

/** The leaf pages of one directory and the rows that they hold together. */
export type Leaves = { readonly ids: readonly Buffer[]; readonly rows: number };

export class PreviousTree {
  readonly #cache: PageCache;
  readonly #fetcher: PageFetcher;
  /** The root of a tree of which the cache has some pages, until one was found missing. */
  #unfilled: Buffer | undefined;
  #newest: { readonly id: Buffer; readonly page: Page } | undefined;

  readonly #fillCostMax: number;

  constructor(cache: PageCache, fetcher: PageFetcher, costMax = fillCostMax) {
    this.#cache = cache;
    this.#fetcher = fetcher;
    this.#fillCostMax = costMax;
  }

  /** A page; a promise only where it must come from the gateway. */
  load(id: Buffer): Page | Promise<Page> {
    // A directory's root page is asked for twice in a row: for its leaves and for its rows.
    if (this.#newest?.id === id) return this.#newest.page;
    const cached = this.#cache.get(id);
    if (cached === undefined) return this.#loadRemote(id);
    const page = parsePage(cached.plaintext, cached.refs);
    this.#newest = { id, page };
    return page;
  }

  /** A leaf page that was loaded before in this run. */
  loadedLeaf(id: Buffer): LeafPage {
    const cached = this.#cache.get(id);
    const page = cached === undefined ? undefined : parsePage(cached.plaintext, cached.refs);
    if (page instanceof LeafPage) return page;
    throw new HoldfastError(ErrorCode.corrupt, "the local page cache changed while it was used");
  }

  /**
   * The leaf pages of a directory, in order.
   * @throws HoldfastError corrupt, where a page stands twice in it: names ascend, so no writer makes that
   */
  async leaves(root: Buffer): Promise<Leaves> {
    const page = await this.load(root);
    if (page instanceof LeafPage) return { ids: [root], rows: page.rowCount };
    const ids: Buffer[] = [];
    await this.#leavesBelow(page, ids, new Set());
    let rows = 0;
    for (let row = 0; row < page.rowCount; row++) rows += page.child(row).rows;
    return { ids, rows };
  }

  async #leavesBelow(page: BranchPage, ids: Buffer[], seen: Set<string>): Promise<void> {
    for (let row = 0; row < page.rowCount; row++) {
      const { id } = page.ref(page.child(row).ordinal);
      const key = id.toString("latin1");
      if (seen.has(key)) throw new HoldfastError(ErrorCode.corrupt, "a page stands twice in a directory");
      seen.add(key);
      if (page.level === 1) {
        ids.push(id);
        continue;
      }
      const below = await this.load(id);
      if (!(below instanceof BranchPage) || below.level >= page.level)
        throw new HoldfastError(ErrorCode.corrupt, "a directory page has the wrong level");
      await this.#leavesBelow(below, ids, seen);
    }
  }

  /**
   * To be called first. Fills a cache that lacks the root page, in large requests, so that a lost cache costs a few round trips and
   * not one per directory. Where the root is there, the first page that is found missing has the same done. Of a tree that
   * is very large, or names the same folders again and again without end, the rest is fetched when the walk comes there.
   */
  async prefetch(root: Buffer): Promise<void> {
    if (this.#cache.get(root) === undefined) await this.#fill(root);
    else this.#unfilled = root;
  }

  /** Fetches what the cache lacks of the pages at and below `root`. */
  async #fill(root: Buffer): Promise<void> {
    this.#unfilled = undefined;
    // Newest first, so that few ids wait however wide and deep the tree is.
    const open: Buffer[] = [root];
    const missing: Buffer[] = [];
    let cost = 0;
    const visit = ({ plaintext, refs }: CachedPage): void => {
      cost += Math.max(pageCostMin, plaintext.length + refs.length);
      open.push(...childPages(parsePage(plaintext, refs)));
    };
    while (open.length + missing.length > 0 && cost < this.#fillCostMax && open.length < fillOpenMax) {
      const id = open.pop();
      const page = id === undefined ? undefined : this.#cache.get(id);
      if (page !== undefined) visit(page);
      else if (id !== undefined) missing.push(id);
      if (missing.length < fetchIdsMax && open.length > 0) continue;
      const ids = missing.splice(0);
      for (const [index, fetched] of (await this.#fetch(ids)).entries()) {
        this.#cache.put(ids[index] as Buffer, fetched);
        visit(fetched);
      }
    }
  }

  async #fetch(ids: readonly Buffer[]): Promise<CachedPage[]> {
    return ids.length === 0 ? [] : this.#fetcher.fetch(ids);
  }

  async #loadRemote(id: Buffer): Promise<Page> {
    if (this.#unfilled !== undefined) await this.#fill(this.#unfilled);
    const page = this.#cache.get(id) ?? (await this.#loadOne(id));
    return parsePage(page.plaintext, page.refs);
  }

  async #loadOne(id: Buffer): Promise<CachedPage> {
    const [page] = await this.#fetcher.fetch([id]);
    if (page === undefined)
      throw new HoldfastError(ErrorCode.chunkMissing, "a page of the previous snapshot is missing");
    this.#cache.put(id, page);
    return page;
  }
}

/** Ids of the pages right below; copies, since a view would keep the whole page in memory. */
function childPages(page: Page): Buffer[] {
  const children: Buffer[] = [];
  for (let row = 0; row < page.rowCount; row++) {
    if (page instanceof BranchPage) children.push(Buffer.from(page.ref(page.child(row).ordinal).id));
    else {
      const { kind, child } = page.entry(row);
      if (kind === EntryKind.directory && child !== undefined)
        children.push(Buffer.from(page.ref(child.ordinal).id));
    }
  }
  return children;
}

/** A row of the previous snapshot. `index` counts the rows of the directory from 0. */
export type PreviousRow = {
  readonly page: LeafPage;
  readonly row: number;
  readonly index: number;
  /** Of a file, once the row was read; undefined as long as it was not. */
  fileBytes: number | undefined;
};

/** Walks the rows of one directory in step with a sorted listing. */
export class PreviousCursor {
  readonly #tree: PreviousTree;
  readonly #leaves: readonly Buffer[];
  #leaf = -1;
  #page: LeafPage | undefined;
  #row = 0;
  #passed = 0;

  constructor(tree: PreviousTree, leaves: readonly Buffer[]) {
    this.#tree = tree;
    this.#leaves = leaves;
  }

  /** The row with the name at from..to of `name`, or undefined; names must come in ascending order. A promise only to fetch a page. */
  seek(
    name: Uint8Array,
    from = 0,
    to = name.length,
  ): PreviousRow | undefined | Promise<PreviousRow | undefined> {
    for (;;) {
      const page = this.#page;
      if (page === undefined || this.#row >= page.rowCount) {
        if (this.#leaf + 1 >= this.#leaves.length) return undefined;
        const next = this.#nextPage();
        if (next instanceof Promise) return next.then(() => this.seek(name, from, to));
        continue;
      }
      const order = page.compareNameAt(this.#row, name, from, to);
      if (order > 0) return undefined;
      const found =
        order === 0
          ? { page, row: this.#row, index: this.#passed + this.#row, fileBytes: undefined }
          : undefined;
      this.#row += 1;
      if (found !== undefined) return found;
    }
  }

  #nextPage(): void | Promise<void> {
    this.#passed += this.#page?.rowCount ?? 0;
    this.#leaf += 1;
    this.#row = 0;
    const loaded = this.#tree.load(this.#leaves[this.#leaf] as Buffer);
    if (loaded instanceof Promise) return loaded.then((page) => this.#enter(page));
    this.#enter(loaded);
  }

  #enter(page: Page): void {
    if (!(page instanceof LeafPage))
      throw new HoldfastError(ErrorCode.corrupt, "a directory page has the wrong level");
    this.#page = page;
  }
}
