// Writes the extents of a file, front to back: up to 8 go into the directory entry, more into a tree of pages
// (docs/format.md 6.2).
//
// Memory: one open page per level, whatever the size of the file. Invariant: `#tail` is the hole that the next one
// may still be joined to; everything before it is in `#inline` or, once there were too many, in the pages.
import { asBuffer } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { limits } from "../limits.ts";
import { holeOrdinal, Width } from "../magic.ts";
import type { EmitPage } from "./directoryWriter.ts";
import type { ChunkRef, ExtentDraft } from "./entry.ts";

/**
 * Where a file's content is, for its entry. `length` is the sum of all extents; none: an empty file. `dataBytes` is there only when
 * some of it is holes.
 */
export type WrittenExtents = { readonly length: number } & (
  | { readonly form: "inline"; readonly extents: readonly ExtentDraft[] }
  | ({ readonly form: "pages"; readonly dataBytes?: number } & ChunkRef & { readonly id: Buffer })
);

/** One open page of extents. */
class OpenPage {
  readonly #bytes = Buffer.alloc(Width.extentPageHeader + limits.extentRowsMax * Width.extentRow);
  readonly #ordinals = new Map<string, number>();
  #rows = 0;
  /** Bytes that the rows cover. */
  length = 0;

  constructor(level: number) {
    this.#bytes[0] = level;
  }

  get rowCount(): number {
    return this.#rows;
  }

  /** Adds a row, a hole where `id` is undefined; true when the page ends with it. */
  add(length: number, id: Uint8Array | undefined, offset: number): boolean {
    this.length += length;
    const at = Width.extentPageHeader + this.#rows * Width.extentRow;
    this.#bytes.writeUInt32LE(this.length % 2 ** 32, at);
    this.#bytes.writeUInt32LE(Math.floor(this.length / 2 ** 32), at + 4);
    this.#bytes.writeUInt32LE(id === undefined ? holeOrdinal : this.#ordinalOf(id), at + 8);
    this.#bytes.writeUInt32LE(offset, at + 12);
    this.#rows++;
    return this.#rows === limits.extentRowsMax || (this.#rows >= limits.extentRowsMin && id?.[0] === 0);
  }

  /** The page and its references; the page is empty again. */
  finish(): { readonly plaintext: Buffer; readonly refs: Buffer } {
    this.#bytes.writeUInt32LE(this.#rows, 4);
    const end = Width.extentPageHeader + this.#rows * Width.extentRow;
    const plaintext = Buffer.from(this.#bytes.subarray(0, end));
    const refs = Buffer.from([...this.#ordinals.keys()].join(""), "latin1");
    this.#ordinals.clear();
    this.#rows = 0;
    this.length = 0;
    return { plaintext, refs };
  }

  #ordinalOf(id: Uint8Array): number {
    if (id.length !== Width.id) throw new RangeError(`an id of ${id.length} bytes`);
    const key = asBuffer(id).toString("latin1");
    const known = this.#ordinals.get(key);
    if (known !== undefined) return known;
    this.#ordinals.set(key, this.#ordinals.size);
    return this.#ordinals.size - 1;
  }
}

type Level = {
  readonly open: OpenPage;
  pages: number;
  last: (ChunkRef & { readonly id: Buffer }) | undefined;
};

/** Takes extents in file order. One writer per file. */
export class ExtentsWriter {
  readonly #emit: EmitPage;
  readonly #inline: ExtentDraft[] = [];
  readonly #levels: Level[] = [];
  #tail: ExtentDraft | undefined;
  #length = 0;
  #holeBytes = 0;

  constructor(emit: EmitPage) {
    this.#emit = emit;
  }

  /**
   * Adds the next extent; may emit pages.
   * @throws HoldfastError corrupt for an empty extent or one outside its chunk; limit-exceeded
   */
  add(extent: ExtentDraft): void {
    if (!Number.isSafeInteger(extent.length) || extent.length < 1) {
      throw new HoldfastError(ErrorCode.corrupt, `extent of ${extent.length} bytes`);
    }
    if (extent.length > limits.fileBytesMax - this.#length) {
      throw new HoldfastError(ErrorCode.limitExceeded, "file of over 2^53 bytes");
    }
    if (!extent.hole && !liesInChunk(extent.offset, extent.length, extent.plainLength)) {
      throw new HoldfastError(ErrorCode.corrupt, "extent outside its chunk");
    }
    this.#length += extent.length;
    if (extent.hole) this.#holeBytes += extent.length;
    const tail = this.#tail;
    if (extent.hole && tail?.hole) {
      this.#tail = { hole: true, length: tail.length + extent.length };
      return;
    }
    this.#tail = extent;
    if (tail !== undefined) this.#settle(tail);
  }

  /** Emits what is open and says where the content is. */
  finish(): WrittenExtents {
    if (this.#tail !== undefined) this.#settle(this.#tail);
    this.#tail = undefined;
    const length = this.#length;
    if (this.#levels.length === 0) return { form: "inline", extents: this.#inline, length };
    for (let depth = 0; ; depth++) {
      const level = this.#level(depth);
      if (level.open.rowCount > 0) this.#endPage(depth);
      // one page alone is the topmost: the row that stands for it above is dropped with the writer
      if (level.pages > 1) continue;
      const counted = this.#holeBytes === 0 ? {} : { dataBytes: length - this.#holeBytes };
      return { form: "pages", ...level.last!, ...counted, length };
    }
  }

  #settle(extent: ExtentDraft): void {
    if (this.#levels.length === 0) {
      this.#inline.push(extent);
      if (this.#inline.length <= limits.inlineExtentsMax) return;
      for (const first of this.#inline.splice(0)) this.#addExtent(first);
    } else {
      this.#addExtent(extent);
    }
  }

  #addExtent(extent: ExtentDraft): void {
    if (extent.hole) this.#addRow(0, extent.length, undefined, 0);
    else this.#addRow(0, extent.length, extent.id, extent.offset);
  }

  #level(depth: number): Level {
    const known = this.#levels[depth];
    if (known !== undefined) return known;
    if (depth > limits.pageLevelMax) {
      throw new HoldfastError(ErrorCode.limitExceeded, "file of too many extents: over 8 levels of pages");
    }
    const level: Level = { open: new OpenPage(depth), pages: 0, last: undefined };
    this.#levels.push(level);
    return level;
  }

  #addRow(depth: number, length: number, id: Uint8Array | undefined, offset: number): void {
    if (this.#level(depth).open.add(length, id, offset)) this.#endPage(depth);
  }

  #endPage(depth: number): void {
    const level = this.#level(depth);
    const length = level.open.length;
    const { plaintext, refs } = level.open.finish();
    const id = this.#emit(plaintext, refs);
    level.pages++;
    level.last = { id, plainLength: plaintext.length };
    this.#addRow(depth + 1, length, id, 0);
  }
}

function liesInChunk(offset: number, length: number, plainLength: number): boolean {
  return Number.isSafeInteger(offset) && offset >= 0 && offset + length <= plainLength;
}
