// The names that a directory had in any of its versions, in order, without holding them all.
//
// Versions share most of their pages: only different leaf pages are read, once each. Memory: one row for each different leaf page, and
// the names of those pages that overlap.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { EntryKind } from "../../vault/tree/entry.ts";
import { emptyRowStat } from "../../vault/tree/entryReader.ts";
import { BranchPage, LeafPage, type Page } from "../../vault/tree/page.ts";
import { isDamage } from "./damage.ts";
import { type CommonPassage, narrowed } from "./passage.ts";
import { type DirectoryAt, passageOf } from "./pathStates.ts";

/** A leaf page. Names (a character per byte) in it are from `lowest` on and before `end`. */
export type NamesPage = DirectoryAt & { readonly lowest: string; readonly end: string | undefined };

/** A name, and what its directories, if there were any, have in common. */
export type UnionName = { readonly name: Buffer; readonly passage: CommonPassage | undefined };

const pagesMax = 65_536;
const readsAtOnce = 64;

/**
 * The different leaf pages of directories, by their lowest names. Pages that cannot be read are left out: what reads the version itself
 * is told.
 * @throws HoldfastError limit-exceeded
 */
export async function namesPages(
  directories: Iterable<DirectoryAt>,
  signal?: AbortSignal,
): Promise<NamesPage[]> {
  const leaves: NamesPage[] = [];
  const seen = new Set<string>();
  const take = (at: NamesPage): boolean => {
    const key = at.page.toString("latin1");
    if (seen.has(key)) return false;
    seen.add(key);
    if (seen.size > pagesMax) throw tooMany();
    return true;
  };
  let level: NamesPage[] = [];
  for (const directory of directories) {
    const at = { ...directory, lowest: "", end: undefined };
    if (take(at)) level.push(at);
  }
  while (level.length > 0) {
    const below: NamesPage[] = [];
    for (let from = 0; from < level.length; from += readsAtOnce) {
      signal?.throwIfAborted();
      const some = level.slice(from, from + readsAtOnce);
      const pages = await Promise.all(some.map((at) => pageOf(at, signal)));
      for (const [index, page] of pages.entries()) {
        const at = some[index] as NamesPage;
        if (page instanceof LeafPage) leaves.push(at);
        if (!(page instanceof BranchPage)) continue;
        for (const child of childrenOf(at, page)) {
          // The pages above the leaves are known to be so: leaves are not read here.
          if (take(child)) (page.level === 1 ? leaves : below).push(child);
        }
      }
    }
    level = below;
  }
  return leaves.sort((a, b) => (a.lowest < b.lowest ? -1 : a.lowest > b.lowest ? 1 : 0));
}

function* childrenOf(at: NamesPage, page: BranchPage): Generator<NamesPage, void, void> {
  for (let row = 0; row < page.rowCount; row++) {
    const { lowestName, ordinal } = page.child(row);
    const end = row + 1 < page.rowCount ? page.nameAt(row + 1).toString("latin1") : at.end;
    const id = Buffer.from(page.ref(ordinal).id);
    yield { context: at.context, page: id, lowest: lowestName.toString("latin1"), end };
  }
}

async function pageOf(at: DirectoryAt, signal: AbortSignal | undefined): Promise<Page | undefined> {
  try {
    return await at.context.tree.page(at.page, signal);
  } catch (error) {
    if (isDamage(error)) return undefined;
    throw error;
  }
}

function tooMany(): HoldfastError {
  return new HoldfastError(
    ErrorCode.limitExceeded,
    `the versions of this folder have more than ${pagesMax} different pages of names`,
    { next: "Name what is inside it: that needs no list." },
  );
}

/** The names on `pages` (as namesPages gives them) that come after `after`, in order. */
export async function* unionNames(
  pages: readonly NamesPage[],
  after: Uint8Array | undefined,
  signal?: AbortSignal,
): AsyncGenerator<UnionName, void, void> {
  const start = after === undefined ? undefined : Buffer.from(after).toString("latin1");
  const wanted = start === undefined ? pages : pages.filter(({ end }) => end === undefined || end > start);
  const waiting = new Map<string, CommonPassage | undefined>();
  for (const [index, at] of wanted.entries()) {
    if (index % readsAtOnce === 0) readAhead(wanted.slice(index, index + readsAtOnce), signal);
    const page = await pageOf(at, signal);
    if (page instanceof LeafPage) addReadable(page, start, waiting);
    const next = wanted[index + 1];
    // Names before the next page's lowest can no longer come.
    if (next === undefined || mayEnd(waiting, next.lowest)) yield* taken(waiting, next?.lowest);
  }
}

/** Asks for pages in one turn, so that they travel together. */
function readAhead(pages: readonly NamesPage[], signal: AbortSignal | undefined): void {
  for (const at of pages) pageOf(at, signal).catch(() => undefined);
}

const scratch = emptyRowStat();

function addReadable(...parts: Parameters<typeof addNames>): void {
  try {
    addNames(...parts);
  } catch (error) {
    if (!isDamage(error)) throw error;
  }
}

function addNames(
  page: LeafPage,
  after: string | undefined,
  waiting: Map<string, CommonPassage | undefined>,
): void {
  for (let row = 0; row < page.rowCount; row++) {
    const name = page.nameAt(row).toString("latin1");
    if (after !== undefined && name <= after) continue;
    const known = waiting.get(name);
    const isDirectory = page.statAt(row, scratch).kind === EntryKind.directory;
    waiting.set(name, isDirectory ? narrowed(known, passageOf(page.entry(row))) : known);
  }
}

/** Whether there is enough before `end` to be worth sorting. */
function mayEnd(waiting: ReadonlyMap<string, unknown>, end: string): boolean {
  const [first] = waiting.keys();
  return first !== undefined && first < end;
}

function* taken(
  waiting: Map<string, CommonPassage | undefined>,
  end: string | undefined,
): Generator<UnionName, void, void> {
  const names = [...waiting.keys()].filter((name) => end === undefined || name < end);
  names.sort((a, b) => (a < b ? -1 : 1));
  for (const name of names) {
    const passage = waiting.get(name);
    waiting.delete(name);
    yield { name: Buffer.from(name, "latin1"), passage };
  }
}
