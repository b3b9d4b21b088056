// Finds what the gateway lacks of a tree that it once had: something was quarantined there, or was promised by a box that never came.
//
// The gateway is asked of each record whether it and everything below it is there, from the root down, and only below those of which it
// is not: so a whole tree costs one question, and a hurt one the pages on the way to what is lost. Pages come from the local cache.

import { RecordType } from "../../vault/magic.ts";
import { BranchPage, type Page } from "../../vault/tree/page.ts";
import type { PreviousTree } from "./previousTree.ts";

/** Ids of one question. */
const idsAtOnce = 16_384;

/** Per id whether it and everything below it is at the gateway; undefined from a gateway that cannot tell. */
export type AskWhole = (ids: readonly Buffer[]) => Promise<readonly boolean[] | undefined>;

/**
 * Records (ids as latin1) of a tree that are not whole at the gateway: pages of directories, chunks, extent pages and attributes. Of an extent page
 * it is not said which of its chunks is lost. Undefined where the gateway cannot tell.
 * @throws HoldfastError chunk-missing, promised where a page on the way is neither in the cache nor at the gateway
 */
export async function lostRecords(
  tree: PreviousTree,
  root: Buffer,
  ask: AskWhole,
): Promise<Set<string> | undefined> {
  const lost = new Set<string>();
  const seen = new Set<string>();
  /** Records to ask for; of pages of directories what is below them is asked for next. */
  const wanted: NamedRecord[] = [{ id: root, type: RecordType.directory }];
  while (wanted.length > 0) {
    const some = wanted.splice(-idsAtOnce);
    const there = await ask(some.map(({ id }) => id));
    if (there === undefined) return undefined;
    for (const [index, { id, type }] of some.entries()) {
      if (there[index]) continue;
      lost.add(id.toString("latin1"));
      if (type !== RecordType.directory) continue;
      for (const below of recordsOf(await tree.load(id))) {
        const key = below.id.toString("latin1");
        if (seen.has(key)) continue;
        seen.add(key);
        wanted.push(below);
      }
    }
  }
  return lost;
}

/** A record that a page names. */
export type NamedRecord = { readonly id: Buffer; readonly type: RecordType };

/** What a page of a directory names; copies, since a view would keep the whole page in memory. */
export function recordsOf(page: Page): NamedRecord[] {
  const records: NamedRecord[] = [];
  const add = (ordinal: number, type: RecordType): void => {
    records.push({ id: Buffer.from(page.ref(ordinal).id), type });
  };
  for (let row = 0; row < page.rowCount; row++) {
    if (page instanceof BranchPage) {
      add(page.child(row).ordinal, RecordType.directory);
      continue;
    }
    const { child, content, xattrs } = page.entry(row);
    if (child !== undefined) add(child.ordinal, RecordType.directory);
    if (xattrs.form === "record") add(xattrs.ordinal, RecordType.xattrs);
    if (content?.form === "pages") add(content.ordinal, RecordType.extents);
    else for (const extent of content?.extents ?? []) if (!extent.hole) add(extent.ordinal, RecordType.data);
  }
  return records;
}
