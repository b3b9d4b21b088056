// One directory page under construction (docs/format.md 6.4), leaf or branch.
//
// Invariant: `length` is the exact length of the plaintext that finish() would give, and never over 64 KiB;
// references and strings are those of accepted rows alone (a row that does not fit leaves no trace).
import { asBuffer, ByteWriter, varintLength } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { limits } from "../limits.ts";
import { Width } from "../magic.ts";
import type { ChunkRef } from "./entry.ts";
import type { EntryTables } from "./entryWriter.ts";

/** Writes one row, without its length, and asks for ordinals and string indexes in the order of its bytes. */
export type RowWriter = (row: ByteWriter, tables: EntryTables) => void;

/** Numbers things in order of first use, and forgets the last ones again. */
class Numbering {
  readonly #numbers = new Map<string, number>();
  readonly #keys: string[] = [];

  get size(): number {
    return this.#keys.length;
  }

  /** The number of a key; a new key gets the next. */
  numberOf(key: string): number {
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    this.#numbers.set(key, this.#keys.length);
    return this.#keys.push(key) - 1;
  }

  keys(): readonly string[] {
    return this.#keys;
  }

  shrink(size: number): void {
    while (this.#keys.length > size) this.#numbers.delete(this.#keys.pop()!);
  }
}

/** Collects rows until the next one does not fit. */
export class PageBuilder {
  readonly #level: number;
  readonly #row = new ByteWriter(512);
  readonly #rows = new ByteWriter(2048);
  readonly #refs = new Numbering();
  readonly #strings = new Numbering();
  readonly #refPlainLengths: number[] = [];
  readonly #tables: EntryTables;
  #rowCount = 0;
  /** Bytes of the plain lengths of all references, and of all strings with their lengths. */
  #refBytes = 0;
  #stringBytes = 0;

  constructor(level: number) {
    this.#level = level;
    this.#tables = {
      ordinalOf: (ref) => this.#ordinalOf(ref),
      indexOf: (text) => this.#indexOf(text),
    };
  }

  get rowCount(): number {
    return this.#rowCount;
  }

  /** Bytes of the plaintext so far. */
  get length(): number {
    return (
      Width.directoryPageHeader +
      this.#refBytes +
      varintLength(this.#strings.size) +
      this.#stringBytes +
      this.#rows.length
    );
  }

  /** Takes the row if the page stays within its limits with it. What `write` throws comes out, without a trace. */
  tryAdd(write: RowWriter): boolean {
    const refs = this.#refs.size;
    const strings = this.#strings.size;
    const refBytes = this.#refBytes;
    const stringBytes = this.#stringBytes;
    let fits = false;
    try {
      this.#row.reset();
      write(this.#row, this.#tables);
      const rowLength = this.#row.length;
      fits =
        this.length + varintLength(rowLength) + rowLength <= limits.pageBytesMax &&
        this.#refs.size <= limits.refsPerRecordMax;
    } finally {
      if (!fits) {
        this.#refs.shrink(refs);
        this.#refPlainLengths.length = refs;
        this.#strings.shrink(strings);
        this.#refBytes = refBytes;
        this.#stringBytes = stringBytes;
      }
    }
    if (!fits) return false;
    this.#rows.varint(this.#row.length);
    this.#rows.append(this.#row);
    this.#rowCount++;
    return true;
  }

  /** The plaintext and the references (32 bytes each); the builder is empty again. */
  finish(): { readonly plaintext: Buffer; readonly refs: Buffer } {
    const page = new ByteWriter(this.length);
    page.u8(this.#level);
    page.u8(0);
    page.u16(0);
    page.u32(this.#rowCount);
    for (const length of this.#refPlainLengths) page.varint(length);
    page.varint(this.#strings.size);
    for (const text of this.#strings.keys()) {
      const bytes = Buffer.from(text);
      page.varint(bytes.length);
      page.bytes(bytes);
    }
    page.bytes(this.#rows.finish());
    const refs = Buffer.from(this.#refs.keys().join(""), "latin1");
    this.#rows.reset();
    this.#refs.shrink(0);
    this.#refPlainLengths.length = 0;
    this.#strings.shrink(0);
    this.#rowCount = 0;
    this.#refBytes = 0;
    this.#stringBytes = 0;
    return { plaintext: page.finish(), refs };
  }

  #ordinalOf(ref: ChunkRef): number {
    if (ref.id.length !== Width.id) throw new RangeError(`an id of ${ref.id.length} bytes`);
    if (!(ref.plainLength >= 0 && ref.plainLength <= limits.plainBytesMax)) {
      throw new HoldfastError(ErrorCode.limitExceeded, `reference to a record of ${ref.plainLength} bytes`);
    }
    const ordinal = this.#refs.numberOf(asBuffer(ref.id).toString("latin1"));
    const known = this.#refPlainLengths[ordinal];
    if (known === undefined) {
      this.#refPlainLengths.push(ref.plainLength);
      this.#refBytes += varintLength(ref.plainLength);
    } else if (known !== ref.plainLength) {
      throw new HoldfastError(ErrorCode.corrupt, "one id with two plain lengths");
    }
    return ordinal;
  }

  /** Index 0 is the empty string, which is not listed. */
  #indexOf(text: string): number {
    if (text === "") return 0;
    const size = this.#strings.size;
    const index = this.#strings.numberOf(text);
    if (index === size) {
      const length = Buffer.byteLength(text);
      this.#stringBytes += varintLength(length) + length;
    }
    return index + 1;
  }
}
