// Pages of directories (docs/format.md 6.4), read lazily.
//
// Opening a page is one pass: bounds of every row, legal names in strictly ascending order, and nothing behind
// the last row. What else a row holds is read, and checked, when it is asked for.
import { asBuffer, ByteReader } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { limits } from "../limits.ts";
import { Width } from "../magic.ts";
import {
  type ChunkRef,
  type Entry,
  type EntryDraft,
  type ExtentDraft,
  isLegalName,
  type OrdinalRef,
} from "./entry.ts";
import { type RowStat, readEntry, readStat } from "./entryReader.ts";

export type Page = LeafPage | BranchPage;

/** Smallest rows with their lengths: bound what a declared row count may allocate. */
const leafRowBytesMin = 63;
const branchRowBytesMin = 5;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function corrupt(message: string): HoldfastError {
  return new HoldfastError(ErrorCode.corrupt, message);
}

/** Order of the bytes from..to of `a` and of otherFrom..otherTo of `b`. A loop, since names are short. */
function compareNames(
  a: Uint8Array,
  from: number,
  to: number,
  b: Uint8Array,
  otherFrom: number,
  otherTo: number,
): number {
  const shared = Math.min(to - from, otherTo - otherFrom);
  for (let i = 0; i < shared; i++) {
    const difference = a[from + i]! - b[otherFrom + i]!;
    if (difference !== 0) return difference;
  }
  return to - from - (otherTo - otherFrom);
}

/** What leaf and branch pages share: references, and rows that begin with a name. */
class NamedRows {
  readonly level: number;
  readonly rowCount: number;
  /** Bytes of the plaintext of each reference. */
  readonly refPlainLengths: readonly number[];
  protected readonly strings: readonly string[];
  protected readonly bytes: Buffer;
  protected readonly reader: ByteReader;
  readonly #refs: Buffer;
  /** Per row: where its name starts, where the name ends, where the row ends. */
  readonly #bounds: Uint32Array;

  constructor(plaintext: Uint8Array, refs: Uint8Array) {
    if (plaintext.length > limits.pageBytesMax) throw corrupt(`page of ${plaintext.length} bytes`);
    const refCount = refs.length / Width.id;
    if (!Number.isInteger(refCount) || refCount > limits.refsPerRecordMax) {
      throw corrupt(`page with ${refs.length} bytes of references`);
    }
    this.bytes = asBuffer(plaintext);
    this.#refs = asBuffer(refs);
    const reader = new ByteReader(this.bytes);
    this.reader = reader;
    this.level = reader.u8();
    if (this.level > limits.pageLevelMax || reader.u8() !== 0 || reader.u16() !== 0) {
      throw corrupt("page level over 8 or reserved bytes set");
    }
    this.rowCount = reader.u32();
    if (this.rowCount * (this.level === 0 ? leafRowBytesMin : branchRowBytesMin) > reader.remaining) {
      throw new HoldfastError(ErrorCode.truncated, `${this.rowCount} rows in ${reader.remaining} bytes`);
    }
    this.refPlainLengths = readPlainLengths(reader, refCount);
    this.strings = readStrings(reader);
    this.#bounds = this.#indexRows();
  }

  #indexRows(): Uint32Array {
    const { bytes, reader, rowCount } = this;
    const bounds = new Uint32Array(rowCount * 3);
    let previousFrom = 0;
    let previousTo = 0;
    for (let i = 0; i < rowCount; i++) {
      const length = reader.varint();
      const rowEnd = reader.offset + length;
      const nameLength = reader.varint();
      const from = reader.offset;
      const to = from + nameLength;
      if (to > rowEnd || rowEnd > bytes.length) throw corrupt(`row ${i} reaches behind its end`);
      if (!isLegalName(bytes, from, to)) throw corrupt(`row ${i} has no legal name`);
      if (i > 0 && compareNames(bytes, from, to, bytes, previousFrom, previousTo) <= 0) {
        throw corrupt(`row ${i} has a name twice or out of order`);
      }
      bounds[i * 3] = from;
      bounds[i * 3 + 1] = to;
      bounds[i * 3 + 2] = rowEnd;
      previousFrom = from;
      previousTo = to;
      reader.offset = rowEnd;
    }
    reader.end();
    return bounds;
  }

  /** Bytes of its plaintext. */
  get byteLength(): number {
    return this.bytes.length;
  }

  #bound(i: number, part: number): number {
    if (!(i >= 0 && i < this.rowCount)) throw new RangeError(`row ${i} of ${this.rowCount}`);
    return this.#bounds[i * 3 + part]!;
  }

  /** The id and plain length behind an ordinal; the id is a view. */
  ref(ordinal: number): ChunkRef & { readonly id: Buffer } {
    const plainLength = this.refPlainLengths[ordinal];
    if (plainLength === undefined) throw new RangeError(`ordinal ${ordinal}`);
    return { id: this.#refs.subarray(ordinal * Width.id, (ordinal + 1) * Width.id), plainLength };
  }

  /** Name of row i, the lowest name below it in a branch page; a view. */
  nameAt(i: number): Buffer {
    return this.bytes.subarray(this.#bound(i, 0), this.#bound(i, 1));
  }

  /** Negative when the name of row i sorts before `name`, 0 when it is the same, else positive. */
  compareNameAt(i: number, name: Uint8Array): number {
    return compareNames(this.bytes, this.#bound(i, 0), this.#bound(i, 1), name, 0, name.length);
  }

  /** The first row whose name is not before `name`; rowCount when there is none. */
  lowerBound(name: Uint8Array): number {
    let low = 0;
    let high = this.rowCount;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.compareNameAt(middle, name) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Reads row i behind its name with `read`, which has to end where the row ends. */
  protected row<T>(i: number, read: (reader: ByteReader) => T): T {
    const end = this.#bound(i, 2);
    this.reader.offset = this.#bound(i, 1);
    const value = read(this.reader);
    if (this.reader.offset !== end) throw corrupt(`row ${i} is not as long as it says`);
    return value;
  }

  /** The reader behind the name of row i, and the end of the row. */
  protected seek(i: number): number {
    this.reader.offset = this.#bound(i, 1);
    return this.#bound(i, 2);
  }
}

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
  /** Row i; the name is a view. */
  child(i: number): BranchRow {
    return this.row(i, (reader) => {
      const ordinal = reader.varint();
      if (ordinal >= this.refPlainLengths.length) throw corrupt(`ordinal ${ordinal} without a reference`);
      return { lowestName: this.nameAt(i), ordinal, rows: reader.varint() };
    });
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

function readPlainLengths(reader: ByteReader, refCount: number): number[] {
  const lengths: number[] = [];
  for (let i = 0; i < refCount; i++) {
    const length = reader.varint();
    if (length > limits.plainBytesMax) throw corrupt(`reference to a record of ${length} bytes`);
    lengths.push(length);
  }
  return lengths;
}

function readStrings(reader: ByteReader): string[] {
  const count = reader.varint();
  if (count > reader.remaining) throw new HoldfastError(ErrorCode.truncated, `${count} strings in a page`);
  const strings = [""];
  for (let i = 0; i < count; i++) {
    const length = reader.varint();
    if (length === 0 || length > limits.ownerNameBytesMax) throw corrupt(`owner name of ${length} bytes`);
    const bytes = reader.bytes(length);
    try {
      strings.push(decoder.decode(bytes));
    } catch (error) {
      throw new HoldfastError(ErrorCode.corrupt, "owner name that is not UTF-8", { cause: error });
    }
  }
  return strings;
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
