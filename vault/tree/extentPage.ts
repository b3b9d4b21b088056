// Pages of extents (docs/format.md 6.2): where the bytes of a large or holey file are.
//
// Rows have a fixed width, so a page is searched where it lies; opening it checks all rows in one pass.
import { asBuffer } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { limits } from "../limits.ts";
import { holeOrdinal, Width } from "../magic.ts";
import type { Extent } from "./entry.ts";

const ordinalAt = 8;
const offsetAt = 12;

function corrupt(message: string): HoldfastError {
  return new HoldfastError(ErrorCode.corrupt, `extent page: ${message}`);
}

/** An opened page. Offsets count from the start of what it covers. */
export class ExtentPage {
  /** 0: rows name data records; above: pages one level lower. */
  readonly level: number;
  readonly rowCount: number;
  /** Bytes of the file that the page covers. */
  readonly length: number;
  readonly #bytes: Buffer;
  readonly #refs: Buffer;

  constructor(plaintext: Uint8Array, refs: Uint8Array) {
    const bytes = asBuffer(plaintext);
    if (bytes.length < Width.extentPageHeader)
      throw new HoldfastError(ErrorCode.truncated, "extent page cut short");
    this.#bytes = bytes;
    this.#refs = asBuffer(refs);
    this.level = bytes[0]!;
    if (this.level > limits.pageLevelMax || bytes[1] !== 0 || bytes.readUInt16LE(2) !== 0) {
      throw corrupt("level over 8 or reserved bytes set");
    }
    this.rowCount = bytes.readUInt32LE(4);
    const expected = Width.extentPageHeader + this.rowCount * Width.extentRow;
    if (this.rowCount === 0 || this.rowCount > limits.extentRowsMax) throw corrupt(`${this.rowCount} rows`);
    if (bytes.length < expected) throw new HoldfastError(ErrorCode.truncated, "extent page cut short");
    if (bytes.length > expected) throw corrupt("bytes behind the last row");
    this.#checkRows();
    this.length = this.endAt(this.rowCount - 1);
  }

  #checkRows(): void {
    const refCount = this.#refs.length / Width.id;
    if (!Number.isInteger(refCount) || refCount > limits.extentRowsMax) throw corrupt("references");
    let start = 0;
    for (let i = 0; i < this.rowCount; i++) {
      const at = this.#rowAt(i);
      const end = this.endAt(i);
      if (end > limits.fileBytesMax || end <= start) throw corrupt(`row ${i} ends before it starts`);
      const ordinal = this.#bytes.readUInt32LE(at + ordinalAt);
      const offset = this.#bytes.readUInt32LE(at + offsetAt);
      if (ordinal === holeOrdinal) {
        if (this.level > 0 || offset !== 0) throw corrupt(`row ${i} is no proper hole`);
      } else {
        if (ordinal >= refCount) throw corrupt(`row ${i} names no reference`);
        if (this.level > 0 ? offset !== 0 : offset + (end - start) > limits.plainBytesMax) {
          throw corrupt(`row ${i} reaches out of its chunk`);
        }
      }
      start = end;
    }
  }

  #rowAt(i: number): number {
    if (!(i >= 0 && i < this.rowCount)) throw new RangeError(`row ${i} of ${this.rowCount}`);
    return Width.extentPageHeader + i * Width.extentRow;
  }

  /** Where row i ends. */
  endAt(i: number): number {
    const at = this.#rowAt(i);
    return this.#bytes.readUInt32LE(at) + this.#bytes.readUInt32LE(at + 4) * 2 ** 32;
  }

  /** Where row i starts. */
  startAt(i: number): number {
    return i === 0 ? 0 : this.endAt(i - 1);
  }

  /** The row that covers `offset`, which is below `length`. */
  rowFor(offset: number): number {
    if (!(offset >= 0 && offset < this.length)) throw new RangeError(`offset ${offset} of ${this.length}`);
    let low = 0;
    let high = this.rowCount - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.endAt(middle) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Row i of a level 0 page; above level 0 `ordinal` names the page below and `offset` is 0. */
  extent(i: number): Extent {
    const at = this.#rowAt(i);
    const length = this.endAt(i) - this.startAt(i);
    const ordinal = this.#bytes.readUInt32LE(at + ordinalAt);
    if (ordinal === holeOrdinal) return { length, hole: true };
    return { length, hole: false, ordinal, offset: this.#bytes.readUInt32LE(at + offsetAt) };
  }

  /** The id behind an ordinal; a view. */
  id(ordinal: number): Buffer {
    if (!(ordinal >= 0 && ordinal * Width.id < this.#refs.length)) throw new RangeError(`ordinal ${ordinal}`);
    return this.#refs.subarray(ordinal * Width.id, (ordinal + 1) * Width.id);
  }
}

/** What the row above a page says about it, or the file for the topmost one. */
export type ExpectedPage = { readonly level?: number; readonly length: number };

/**
 * Opens the plaintext of an extent page; `refs` are the references of its record, 32 bytes each. Both are kept.
 * `expected` holds the page to what names it.
 * @throws HoldfastError truncated, corrupt
 */
export function parseExtentPage(
  plaintext: Uint8Array,
  refs: Uint8Array,
  expected?: ExpectedPage,
): ExtentPage {
  const page = new ExtentPage(plaintext, refs);
  if (expected !== undefined) {
    if (page.length !== expected.length) {
      throw corrupt(`covers ${page.length} bytes where ${expected.length} are expected`);
    }
    if (expected.level !== undefined && page.level !== expected.level) throw corrupt(`level ${page.level}`);
  }
  return page;
}
