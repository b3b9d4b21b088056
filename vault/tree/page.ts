// Pages of directories (docs/format.md 6.4), read lazily.
//
// Opening a page is one pass: bounds of every row, legal names in strictly ascending order, and nothing behind
// the last row. What else a row holds is read, and checked, when it is asked for.
import type { ChunkRef, Entry, EntryDraft, ExtentDraft, OrdinalRef } from "./entry.ts";
import { type RowStat, readEntry, readStat } from "./entryReader.ts";
import { corrupt, NamedRows } from "./namedRows.ts";
import { type RowAttributes, readAttributes } from "./rowAttributes.ts";

export type Page = LeafPage | BranchPage;

/** A page of entries. */
export class LeafPage extends NamedRows {
  /**
   * Entry i; buffers are views.
   * @throws HoldfastError truncated, corrupt
   */
  entry(i: number): Entry {
    return this.row(i, (reader) =>
      readEntry(reader, this.nameAt(i), { refPlainLengths: this.refPlainLengths, strings: this.strings }),
    );
  }

  /** Row of the entry with this name, or -1. */
  indexOf(name: Uint8Array): number {
    const i = this.lowerBound(name);
    return i < this.rowCount && this.compareNameAt(i, name) === 0 ? i : -1;
  }

  /** The entry with this name. */
  find(name: Uint8Array): Entry | undefined {
    const i = this.indexOf(name);
    return i < 0 ? undefined : this.entry(i);
  }

  /**
   * Fills `stat` with the numbers of entry i, without building the entry.
   * @throws HoldfastError truncated, corrupt
   */
  statAt(i: number, stat: RowStat): RowStat {
    const end = this.seek(i);
    readStat(this.reader, stat);
    if (this.reader.offset > end) throw corrupt(`row ${i} is longer than it says`);
    return stat;
  }

  /**
   * Fills `row` with all that stat(2) shows of entry i, without building the entry.
   * @throws HoldfastError truncated, corrupt
   */
  attributesAt(i: number, row: RowAttributes): RowAttributes {
    const end = this.seek(i);
    readAttributes(this.reader, row);
    if (this.reader.offset > end) throw corrupt(`row ${i} is longer than it says`);
    if (row.child >= this.refPlainLengths.length) throw corrupt(`ordinal ${row.child} without a reference`);
    return row;
  }

  /** Entry i with ids in place of ordinals, to be written to another page. */
  draft(i: number): EntryDraft {
    return draftOf(this.entry(i), this);
  }
}

/** A row of a branch page: what a child page holds. */
export type BranchRow = {
  readonly lowestName: Buffer;
  readonly ordinal: number;
  /** Entries below it on all levels. */
  readonly rows: number;
};

/** A page of pages. */
export class BranchPage extends NamedRows {
  #rowsBefore: Float64Array | undefined;

  /** Row i; the name is a view. */
  child(i: number): BranchRow {
    return this.row(i, (reader) => {
      const ordinal = reader.varint();
      if (ordinal >= this.refPlainLengths.length) throw corrupt(`ordinal ${ordinal} without a reference`);
      return { lowestName: this.nameAt(i), ordinal, rows: reader.varint() };
    });
  }

  /** Entries below the first i rows, on all levels; i up to rowCount. */
  rowsBefore(i: number): number {
    this.#rowsBefore ??= this.#countRows();
    return this.#rowsBefore[i]!;
  }

  /** Row of the child that holds entry number `entry` of all that are below this page, or -1 past the end. */
  childOfEntry(entry: number): number {
    if (entry >= this.rowsBefore(this.rowCount)) return -1;
    let low = 0;
    let high = this.rowCount - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.rowsBefore(middle) <= entry) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #countRows(): Float64Array {
    const before = new Float64Array(this.rowCount + 1);
    for (let i = 0; i < this.rowCount; i++) before[i + 1] = before[i]! + this.child(i).rows;
    return before;
  }

  /** Row of the only child that can hold `name`, or -1 when the name is before all. */
  childFor(name: Uint8Array): number {
    const i = this.lowerBound(name);
    return i < this.rowCount && this.compareNameAt(i, name) === 0 ? i : i - 1;
  }
}

/**
 * Opens the plaintext of a directory page; `refs` are the references of its record, 32 bytes each. Both are kept.
 * @throws HoldfastError truncated, corrupt
 */
export function parsePage(plaintext: Uint8Array, refs: Uint8Array): Page {
  if (plaintext[0] === 0 || plaintext.length === 0) return new LeafPage(plaintext, refs);
  const page = new BranchPage(plaintext, refs);
  if (page.rowCount === 0) throw corrupt("branch page without rows");
  return page;
}

/** An entry with ids in place of ordinals; `refs` is the page that it was read from. */
function draftOf(entry: Entry, refs: { ref(ordinal: number): ChunkRef }): EntryDraft {
  const { xattrs, content, child, ...rest } = entry;
  const named = <T extends OrdinalRef>({ ordinal, ...fields }: T) => ({ ...fields, ...refs.ref(ordinal) });
  return {
    ...rest,
    xattrs: xattrs.form === "record" ? named(xattrs) : xattrs,
    ...(child === undefined ? {} : { child: named(child) }),
    ...(content === undefined
      ? {}
      : {
          content:
            content.form === "pages"
              ? named(content)
              : {
                  form: "inline" as const,
                  extents: content.extents.map(
                    (extent): ExtentDraft => (extent.hole ? extent : named(extent)),
                  ),
                },
        }),
  };
}
