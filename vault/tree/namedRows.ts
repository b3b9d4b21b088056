// What leaf and branch pages of directories share (docs/format.md 6.4): references, owner names, and rows that begin with a name.
import { asBuffer, ByteReader } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { limits } from "../limits.ts";
import { Width } from "../magic.ts";
import { type ChunkRef, isLegalName } from "./entry.ts";

/** Smallest rows with their lengths: bound what a declared row count may allocate. */
const leafRowBytesMin = 63;
const branchRowBytesMin = 5;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function corrupt(message: string): HoldfastError {
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
export class NamedRows {
  readonly level: number;
  readonly rowCount: number;
  /** Bytes of the plaintext of each reference. */
  readonly refPlainLengths: readonly number[];
  protected readonly strings: readonly string[];
  /** The plaintext. */
  readonly bytes: Buffer;
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

  /** Where in `bytes` the name of row i starts, and where it ends. */
  nameStart(i: number): number {
    return this.#bound(i, 0);
  }

  nameEnd(i: number): number {
    return this.#bound(i, 1);
  }

  /** Negative when the name of row i sorts before `name`, 0 when it is the same, else positive. Of `name` from..to counts. */
  compareNameAt(i: number, name: Uint8Array, from = 0, to = name.length): number {
    return compareNames(this.bytes, this.#bound(i, 0), this.#bound(i, 1), name, from, to);
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
    try {
      strings.push(reader.ascii(length) ?? decoder.decode(reader.bytes(length)));
    } catch (error) {
      throw new HoldfastError(ErrorCode.corrupt, "owner name that is not UTF-8", { cause: error });
    }
  }
  return strings;
}
