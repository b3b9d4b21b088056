// Content of hard-linked files of which an incomplete snapshot has some names: the names that it does not have get theirs from here, so
// that a file whose names are in two portions is read once, and its names stay together.
//
// Bounded: the oldest go when there are many; a name of theirs is read again.

import type { ChunkRef, ContentOf, EntryDraft } from "../../vault/tree/entry.ts";
import type { StatTable } from "../platform/statTable.ts";
import { changeMark } from "./fileIntake.ts";

/** What an entry holds that is not in its attribute row. */
export type LinkedContent = Pick<EntryDraft, "device" | "xattrs" | "size" | "fileHash" | "content">;

type Kept = { left: number; readonly mark: Uint32Array; readonly content: LinkedContent };

const keptMax = 65_536;

export class KeptLinks {
  readonly #files = new Map<string, Kept>();

  /** A name was taken over as it was. `row` is its row in `table` and `draft` the entry. */
  keep(key: string, table: StatTable, row: number, draft: () => EntryDraft): void {
    const known = this.#files.get(key);
    if (known === undefined) {
      const left = table.linkCount(row) - 1;
      this.#files.set(key, { left, mark: changeMark(table, row), content: contentOf(draft()) });
      const oldest = this.#files.keys().next().value;
      if (this.#files.size > keptMax && oldest !== undefined) this.#files.delete(oldest);
    } else this.#passed(key, known);
  }

  /** The content of another name of such a file, where nothing about it changed in between. */
  find(key: string, table: StatTable, row: number): LinkedContent | undefined {
    const known = this.#files.get(key);
    if (known === undefined || !table.sameChangeMark(row, known.mark, 0)) return undefined;
    this.#passed(key, known);
    return known.content;
  }

  #passed(key: string, kept: Kept): void {
    kept.left -= 1;
    if (kept.left <= 0) this.#files.delete(key);
  }
}

/** Copies: views would keep whole pages in memory. */
function contentOf({ device, xattrs, size, fileHash, content }: EntryDraft): LinkedContent {
  return {
    device,
    xattrs: xattrs.form === "record" ? { ...xattrs, id: Buffer.from(xattrs.id) } : owned(xattrs),
    ...(size === undefined ? {} : { size }),
    ...(fileHash === undefined ? {} : { fileHash: Buffer.from(fileHash) }),
    ...(content === undefined ? {} : { content: copied(content) }),
  };
}

function owned(xattrs: Exclude<EntryDraft["xattrs"], { form: "record" }>): EntryDraft["xattrs"] {
  if (xattrs.form === "none") return xattrs;
  const list = xattrs.list.map(({ name, value }) => ({ name: Buffer.from(name), value: Buffer.from(value) }));
  return { ...xattrs, list };
}

function copied(content: ContentOf<ChunkRef>): ContentOf<ChunkRef> {
  if (content.form !== "inline") return { ...content, id: Buffer.from(content.id) };
  const extents = content.extents.map((extent) =>
    extent.hole ? extent : { ...extent, id: Buffer.from(extent.id) },
  );
  return { ...content, extents };
}
