// Reads file content by its extents: any range, holes as zeros, with read-ahead for readers that go front to back.
//
// Damage stays where it is: a range fails only when it touches a chunk that cannot be read.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { RecordType } from "../../vault/magic.ts";
import type { ChunkRef, ContentOf, ExtentOf } from "../../vault/tree/entry.ts";
import { type ExtentPage, parseExtentPage } from "../../vault/tree/extentPage.ts";
import type { OpenedRecord } from "./plaintextCache.ts";
import type { RecordOpener } from "./recordOpener.ts";

/** Where the bytes of a file are; undefined for an empty one. */
export type Content = ContentOf<ChunkRef> | undefined;

/** An extent and where it starts in the file. Ids may be views of a page. */
export type PlacedExtent =
  | { readonly start: number; readonly length: number; readonly hole: true }
  | {
      readonly start: number;
      readonly length: number;
      readonly hole: false;
      readonly id: Buffer;
      readonly offset: number;
    };

const parsedPages = new WeakMap<OpenedRecord, ExtentPage>();

export class ContentReader {
  readonly #opener: RecordOpener;

  constructor(opener: RecordOpener) {
    this.#opener = opener;
  }

  /** Extents in file order, starting with the one that covers `from`. */
  async *extents(
    content: Content,
    size: number,
    from = 0,
    signal?: AbortSignal,
  ): AsyncGenerator<PlacedExtent, void, void> {
    if (content === undefined || from >= size) return;
    if (content.form === "inline") {
      let start = 0;
      for (const extent of content.extents) {
        if (start + extent.length > from) yield placed(extent, start);
        start += extent.length;
      }
      return;
    }
    const top = await this.#page(content.id, { length: size }, signal);
    yield* this.#extentsBelow(top, 0, from, signal);
  }

  async *#extentsBelow(
    page: ExtentPage,
    start: number,
    from: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<PlacedExtent, void, void> {
    for (let row = page.rowFor(Math.max(0, from - start)); row < page.rowCount; row++) {
      const extent = page.extent(row);
      const rowStart = start + page.startAt(row);
      if (page.level === 0) yield placedOf(page, extent, rowStart);
      else {
        this.#prefetchRows(page, row);
        const below = await this.#below(page, row, signal);
        yield* this.#extentsBelow(below, rowStart, from, signal);
      }
    }
  }

  #prefetchRows(page: ExtentPage, row: number): void {
    if (row % prefetchPages !== 0) return;
    const ids: Buffer[] = [];
    for (let next = row; next < Math.min(page.rowCount, row + prefetchPages); next++) {
      const extent = page.extent(next);
      if (!extent.hole) ids.push(page.id(extent.ordinal));
    }
    this.#opener.prefetch(ids, RecordType.extents);
  }

  /** The extent that covers `offset` by binary search; undefined past the end. */
  async extentAt(
    content: Content,
    size: number,
    offset: number,
    signal?: AbortSignal,
  ): Promise<PlacedExtent | undefined> {
    for await (const extent of this.extents(content, size, offset, signal)) return extent;
    return undefined;
  }

  /**
   * `length` bytes at `offset`, less only at the end of the file, in memory of their own.
   * @throws HoldfastError chunk-missing, chunk-damaged, corrupt, cancelled
   */
  async read(
    content: Content,
    size: number,
    offset: number,
    length: number,
    signal?: AbortSignal,
  ): Promise<Buffer> {
    const end = Math.min(size, offset + length);
    if (end <= offset) return Buffer.alloc(0);
    const pieces: PlacedExtent[] = [];
    for await (const extent of this.extents(content, size, offset, signal)) {
      if (extent.start >= end) break;
      pieces.push(extent);
    }
    // All chunks of the range are asked for in one turn, so that they travel in one request.
    const chunks = await Promise.all(
      pieces.map((piece) => (piece.hole ? undefined : this.#opener.open(piece.id, RecordType.data, signal))),
    );
    const whole = chunks.length === 1 && chunks[0] !== undefined;
    const out = whole ? Buffer.allocUnsafeSlow(end - offset) : Buffer.alloc(end - offset);
    for (const [index, piece] of pieces.entries()) {
      const chunk = chunks[index];
      if (chunk === undefined || piece.hole) continue;
      const from = Math.max(offset, piece.start);
      const to = Math.min(end, piece.start + piece.length);
      copyExtent(chunk, piece.offset + (from - piece.start), to - from, out, from - offset);
    }
    return out;
  }

  /** Starts reading the chunks of the next `length` bytes: for a reader that goes front to back. */
  async readAhead(content: Content, size: number, offset: number, length: number): Promise<void> {
    const ids: Buffer[] = [];
    for await (const extent of this.extents(content, size, offset)) {
      if (extent.start >= offset + length) break;
      if (!extent.hole) ids.push(extent.id);
    }
    this.#opener.prefetch(ids, RecordType.data);
  }

  async #page(
    id: Uint8Array,
    expected: { readonly level?: number; readonly length: number },
    signal: AbortSignal | undefined,
  ): Promise<ExtentPage> {
    const record = await this.#opener.open(id, RecordType.extents, signal);
    const known = parsedPages.get(record);
    if (known !== undefined && known.length === expected.length) {
      if (expected.level === undefined || known.level === expected.level) return known;
    }
    const page = parseExtentPage(record.plaintext, record.refs, expected);
    parsedPages.set(record, page);
    return page;
  }

  #below(page: ExtentPage, row: number, signal: AbortSignal | undefined): Promise<ExtentPage> {
    const extent = page.extent(row);
    if (extent.hole) throw new HoldfastError(ErrorCode.corrupt, "a hole above the lowest extent pages");
    return this.#page(page.id(extent.ordinal), { level: page.level - 1, length: extent.length }, signal);
  }
}

const prefetchPages = 16;

function placed(extent: ExtentOf<ChunkRef>, start: number): PlacedExtent {
  if (extent.hole) return { start, length: extent.length, hole: true };
  return { start, length: extent.length, hole: false, id: extent.id as Buffer, offset: extent.offset };
}

function placedOf(page: ExtentPage, extent: ReturnType<ExtentPage["extent"]>, start: number): PlacedExtent {
  if (extent.hole) return { start, length: extent.length, hole: true };
  return { start, length: extent.length, hole: false, id: page.id(extent.ordinal), offset: extent.offset };
}

/** Copies part of a chunk; the chunk may be shorter than its extent claims. */
function copyExtent(chunk: OpenedRecord, offset: number, length: number, out: Buffer, at: number): void {
  if (offset + length > chunk.plaintext.length) {
    throw new HoldfastError(ErrorCode.corrupt, "an extent reaches out of its chunk");
  }
  chunk.plaintext.copy(out, at, offset, offset + length);
}
