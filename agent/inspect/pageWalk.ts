// Visits every page of trees once, many at a time: what `agent check` stands on.

import { isDamage } from "../../fs/view/damage.ts";
import type { RecordOpener } from "../../fs/view/recordOpener.ts";
import { equalBytes } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { RecordType } from "../../vault/magic.ts";
import { parseExtentPage } from "../../vault/tree/extentPage.ts";
import { BranchPage, parsePage } from "../../vault/tree/page.ts";
import { parseXattrs } from "../../vault/tree/xattrs.ts";
import type { IdSet } from "./idSet.ts";

const pagesAtOnce = 128;

/** A place in a tree, for messages: names from the root, last first. */
export type TreePath = { readonly name: Buffer; readonly parent: TreePath | undefined } | undefined;

type Pending = {
  readonly id: Buffer;
  readonly type: RecordType;
  readonly path: TreePath;
  /** What the page must be, as far as its parent says. */
  readonly level?: number;
  readonly length?: number;
  readonly lowestName?: Buffer;
};

export type PageWalkOptions = {
  readonly opener: RecordOpener;
  /** Pages that were visited before, by this or another walk; undefined visits all. */
  readonly seen: IdSet | undefined;
  readonly onData: (id: Buffer, length: number, path: TreePath) => Promise<void> | void;
  readonly onBadPage: (id: Buffer, path: TreePath, error: HoldfastError) => void;
  readonly onPages?: (count: number) => void;
  readonly signal?: AbortSignal | undefined;
};

/** Walks from a root page. Damage of one page is reported and costs what is below it. */
export async function walkPages(root: Uint8Array, options: PageWalkOptions): Promise<void> {
  const pending: Pending[] = [];
  const push = (page: Pending): void => {
    if (options.seen?.add(page.id) !== false) pending.push(page);
  };
  push({ id: Buffer.from(root), type: RecordType.directory, path: undefined });
  while (pending.length > 0) {
    options.signal?.throwIfAborted();
    // From the end: the stack stays as small as a depth-first walk's.
    const some = pending.splice(-pagesAtOnce);
    const results = await Promise.allSettled(
      some.map(({ id, type }) => options.opener.open(id, type, options.signal)),
    );
    for (const [index, page] of some.entries()) {
      const result = results[index] as (typeof results)[number];
      try {
        if (result.status === "rejected") throw result.reason;
        await visit(page, result.value, options, push);
      } catch (error) {
        if (!isDamage(error)) throw error;
        options.onBadPage(page.id, page.path, error);
      }
    }
    options.onPages?.(some.length);
  }
}

async function visit(
  page: Pending,
  opened: { readonly plaintext: Buffer; readonly refs: Buffer },
  options: PageWalkOptions,
  push: (page: Pending) => void,
): Promise<void> {
  if (page.type === RecordType.xattrs) parseXattrs(opened.plaintext);
  else if (page.type === RecordType.extents) await visitExtents(page, opened, options, push);
  else await visitDirectory(page, opened, options, push);
}

async function visitDirectory(
  page: Pending,
  { plaintext, refs }: { readonly plaintext: Buffer; readonly refs: Buffer },
  { onData }: PageWalkOptions,
  push: (page: Pending) => void,
): Promise<void> {
  const parsed = parsePage(plaintext, refs);
  if (page.level !== undefined && parsed.level !== page.level) {
    throw new HoldfastError(
      ErrorCode.corrupt,
      `page of level ${parsed.level} where ${page.level} is expected`,
    );
  }
  if (
    page.lowestName !== undefined &&
    !(parsed.rowCount > 0 && equalBytes(parsed.nameAt(0), page.lowestName))
  ) {
    throw new HoldfastError(ErrorCode.corrupt, "a page does not begin with the name that stands for it");
  }
  const { path } = page;
  if (parsed instanceof BranchPage) {
    for (let row = 0; row < parsed.rowCount; row++) {
      const { ordinal, lowestName } = parsed.child(row);
      const id = Buffer.from(parsed.ref(ordinal).id);
      push({ id, type: page.type, path, level: parsed.level - 1, lowestName });
    }
    return;
  }
  for (let row = 0; row < parsed.rowCount; row++) {
    const entry = parsed.draft(row);
    const at = { name: Buffer.from(entry.name), parent: path };
    if (entry.child !== undefined)
      push({ id: Buffer.from(entry.child.id), type: RecordType.directory, path: at });
    if (entry.xattrs.form === "record")
      push({ id: Buffer.from(entry.xattrs.id), type: RecordType.xattrs, path: at });
    if (entry.content?.form === "pages") {
      push({
        id: Buffer.from(entry.content.id),
        type: RecordType.extents,
        path: at,
        length: entry.size ?? 0,
      });
    } else if (entry.content?.form === "inline") {
      for (const extent of entry.content.extents) {
        if (!extent.hole) await onData(Buffer.from(extent.id), extent.plainLength, at);
      }
    }
  }
}

async function visitExtents(
  page: Pending,
  { plaintext, refs }: { readonly plaintext: Buffer; readonly refs: Buffer },
  { onData }: PageWalkOptions,
  push: (page: Pending) => void,
): Promise<void> {
  const { length = 0, level, path } = page;
  const parsed = parseExtentPage(plaintext, refs, level === undefined ? { length } : { length, level });
  for (let row = 0; row < parsed.rowCount; row++) {
    const extent = parsed.extent(row);
    if (extent.hole) continue;
    const id = Buffer.from(parsed.id(extent.ordinal));
    if (parsed.level === 0) await onData(id, extent.length, path);
    else push({ id, type: page.type, path, level: parsed.level - 1, length: extent.length });
  }
}

/** The path as bytes with a leading slash. */
export function pathBytes(path: TreePath): Buffer {
  const names: Buffer[] = [];
  for (let at = path; at !== undefined; at = at.parent) names.push(at.name, Buffer.from("/"));
  return names.length === 0 ? Buffer.from("/") : Buffer.concat(names.reverse());
}
