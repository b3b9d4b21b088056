// The pages of one type in the next generation: those that lose rows are written anew, and so is the last one when rows come behind it; all others
// stay as they are.

import { limits } from "../../../vault/limits.ts";
import { ManifestPageType } from "../../../vault/magic.ts";
import {
  encodeManifestPage,
  noPackHash,
  type PackRow,
  type TopRow,
} from "../../../vault/replica/manifestPage.ts";
import { packHash } from "../../../vault/replica/treeHash.ts";
import type { BelowTop, RowOfType } from "./manifestState.ts";
import { sha256 } from "./namedObjects.ts";

export type WrittenPage = { readonly name: Buffer; readonly bytes: Buffer };

export type PageSection<Type extends BelowTop> = {
  readonly pages: readonly TopRow[];
  /** Rows of the last page. */
  readonly last: readonly RowOfType[Type][];
  readonly written: readonly WrittenPage[];
  /** Names of pages that are in it no more. */
  readonly superseded: readonly Uint8Array[];
  readonly removed: readonly RowOfType[Type][];
};

/** A page as it stands (`page`), or to be written. Rows that stand are there only where they are needed. */
type Slot<Row> = { readonly page?: TopRow; readonly rows?: readonly Row[] };

export type SectionChange<Row> = {
  readonly generation: number;
  /** The rows of a page that stay; undefined: all, without looking. */
  readonly keep: ((rows: readonly Row[], isLast: boolean) => readonly Row[]) | undefined;
  /** Whether rows are added, and which: told what this section supersedes. */
  readonly adds: boolean;
  readonly added: (superseded: readonly Uint8Array[]) => readonly Row[];
};

/** `read` gives the rows of a page; that of the last one must not ask the replica. */
export async function nextSection<Type extends BelowTop>(
  type: Type,
  before: readonly TopRow[],
  read: (page: TopRow, isLast: boolean) => Promise<readonly RowOfType[Type][]>,
  change: SectionChange<RowOfType[Type]>,
): Promise<PageSection<Type>> {
  const slots: Slot<RowOfType[Type]>[] = [];
  const superseded: Uint8Array[] = [];
  const removed: RowOfType[Type][] = [];
  for (const [i, page] of before.entries()) {
    const isLast = i === before.length - 1;
    const rows = isLast || change.keep !== undefined ? await read(page, isLast) : [];
    const kept = change.keep === undefined ? rows : change.keep(rows, isLast);
    if (kept.length < rows.length) {
      superseded.push(page.page);
      const left = new Set(kept);
      removed.push(...rows.filter((row) => !left.has(row)));
      if (kept.length === 0) continue;
    }
    const previous = slots.at(-1);
    if (previous?.page !== undefined) slots[slots.length - 1] = { page: previous.page };
    slots.push(kept.length < rows.length ? { rows: kept } : { page, rows });
  }
  if (change.adds) {
    const tail = slots.at(-1);
    const open =
      tail?.rows !== undefined && tail.rows.length < limits.manifestRowsMax ? slots.pop() : undefined;
    if (open?.page !== undefined) superseded.push(open.page.page);
    const rows = [...(open?.rows ?? []), ...change.added(superseded)];
    for (let at = 0; at < rows.length; at += limits.manifestRowsMax) {
      slots.push({ rows: rows.slice(at, at + limits.manifestRowsMax) });
    }
  }
  const written: WrittenPage[] = [];
  const pages = slots.map(({ page, rows = [] }) => {
    if (page !== undefined) return page;
    const bytes = encodeManifestPage<BelowTop>(type, change.generation, rows);
    const name = sha256(bytes);
    written.push({ name, bytes });
    const hash = type === ManifestPageType.packs ? packHash(rows as readonly PackRow[]) : noPackHash;
    return { page: name, type, rows: rows.length, bytes: bytes.length, packHash: hash };
  });
  return { pages, last: slots.at(-1)?.rows ?? [], written, superseded, removed };
}
