// Turns the pages of a view into the flat offsets of READDIR, without any open handle.
//
// A row's offset is 2 + page * PAGE_ROWS + index; 0 and 1 are "." and "..". Where page N starts is kept
// with the directory's entry in the node table (one bigint per 1,024 rows), and read again from
// the last known start when it is not there. The rows of the pages read last are kept, because old
// kernels ask for 4 KiB at a time.

import { keepNewest } from "../../view/newest.ts";
import type { DirectoryRow, View } from "../../view/view.ts";
import { NAME_BYTES_MAX } from "./abi.ts";
import type { NodeEntry } from "./nodeTable.ts";

const PAGE_ROWS = 1024;
const PAGES_KEPT = 16;
const DOTS = 2;

export type OffsetRow = {
  readonly name: Uint8Array;
  /** Undefined for "." and "..". */
  readonly row: DirectoryRow | undefined;
  /** The offset of the row after this one. */
  readonly next: number;
};

type Page = { readonly rows: readonly DirectoryRow[]; readonly next: bigint | undefined };

export class DirectoryReader {
  readonly #view: View;
  readonly #onBadName: (entry: NodeEntry, name: Uint8Array) => void;
  readonly #pages = new Map<string, Page>();

  constructor(view: View, onBadName: (entry: NodeEntry, name: Uint8Array) => void) {
    this.#view = view;
    this.#onBadName = onBadName;
  }

  /** Drops what is kept of a directory whose names changed. */
  forget(entry: NodeEntry): void {
    entry.pageStarts = undefined;
    for (const key of this.#pages.keys()) if (key.startsWith(`${entry.nodeId}:`)) this.#pages.delete(key);
  }

  /** Drops what is kept of all directories. */
  forgetAll(): void {
    this.#pages.clear();
  }

  /** Rows from `offset` on, read page by page as the caller takes them. */
  async *rows(entry: NodeEntry, offset: number): AsyncGenerator<OffsetRow, void, void> {
    // A mutable directory is read afresh by whoever starts at its beginning.
    if (offset === 0 && !entry.node.immutable) this.forget(entry);
    if (offset === 0) yield { name: Buffer.from("."), row: undefined, next: 1 };
    if (offset <= 1) yield { name: Buffer.from(".."), row: undefined, next: DOTS };
    const first = Math.max(0, offset - DOTS);
    let index = first % PAGE_ROWS;
    for (let number = Math.floor(first / PAGE_ROWS); ; number++) {
      const page = await this.#page(entry, number);
      if (page === undefined) return;
      for (; index < page.rows.length; index++) {
        const row = page.rows[index] as DirectoryRow;
        if (!nameFits(row.name)) this.#onBadName(entry, row.name);
        else yield { name: row.name, row, next: DOTS + number * PAGE_ROWS + index + 1 };
      }
      if (page.next === undefined) return;
      index = 0;
    }
  }

  /** Page `number` of a directory, or undefined past its end. */
  async #page(entry: NodeEntry, number: number): Promise<Page | undefined> {
    const kept = this.#pages.get(`${entry.nodeId}:${number}`);
    if (kept !== undefined) return kept;
    entry.pageStarts ??= [0n];
    const starts = entry.pageStarts;
    for (let at = Math.min(number, starts.length - 1); ; at++) {
      const start = starts[at];
      if (start === undefined) return undefined;
      const page = await this.#view.readPage(entry.node, start, PAGE_ROWS);
      if (page.next !== undefined) starts[at + 1] = page.next;
      if (at < number) continue;
      keepNewest(this.#pages, `${entry.nodeId}:${number}`, page, PAGES_KEPT);
      return page;
    }
  }
}

/** The kernel answers EIO for a whole directory over one name that a Linux path cannot hold. */
function nameFits(name: Uint8Array): boolean {
  if (name.length === 0 || name.length > NAME_BYTES_MAX) return false;
  if (name.includes(0x2f) || name.includes(0)) return false;
  return !(name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e)));
}
