// Reads file content by its extents: any range, holes as zeros, with read-ahead for readers that go front to back.
//
// Damage stays where it is: a range fails only when it touches a chunk that cannot be read.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { RecordType } from "../../vault/magic.ts";
import type { ChunkRef, ContentOf, ExtentOf } from "../../vault/tree/entry.ts";
import { type ExpectedPage, type ExtentPage, parseExtentPage } from "../../vault/tree/extentPage.ts";
import type { CachedRecord, OpenedRecord } from "./plaintextCache.ts";
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
    const pieces = await this.readPieces(content, size, offset, length, signal);
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const out = Buffer.allocUnsafeSlow(bytes);
    let at = 0;
    for (const piece of pieces) {
      out.set(piece, at);
      at += piece.length;
    }
    return out;
  }

  /**
   * The same as views of cached records and of zeros, one after the other, good until the event loop's next turn.
   * @throws HoldfastError chunk-missing, chunk-damaged, corrupt, cancelled
   */
  async readPieces(
    content: Content,
    size: number,
    offset: number,
    length: number,
    signal?: AbortSignal,
  ): Promise<Uint8Array[]> {
    const end = Math.min(size, offset + length);
    if (end <= offset) return [];
    const extents: PlacedExtent[] = [];
    for await (const extent of this.extents(content, size, offset, signal)) {
      if (extent.start >= end) break;
      extents.push(extent);
    }
    const pinned: CachedRecord[] = [];
    try {
      // All chunks of the range are asked for in one turn, so that they travel in one request.
      const chunks = await Promise.all(
        extents.map(async (extent) => {
          if (extent.hole) return undefined;
          const chunk = await this.#opener.open(extent.id, RecordType.data, signal);
          chunk.pins++;
          pinned.push(chunk);
          return chunk;
        }),
      );
      const pieces: Uint8Array[] = [];
      for (const [index, extent] of extents.entries()) {
        addPieces(pieces, extent, chunks[index], Math.max(offset, extent.start), end);
      }
      return pieces;
    } finally {
      for (const chunk of pinned) chunk.pins--;
    }
  }

  /** The same from what is in memory, without waiting; undefined when something has to be read first. */
  piecesNow(content: Content, size: number, offset: number, length: number): Uint8Array[] | undefined {
    const end = Math.min(size, offset + length);
    if (end <= offset || content === undefined) return [];
    const pieces: Uint8Array[] = [];
    const take = (extent: PlacedExtent): boolean => {
      const chunk = extent.hole ? undefined : this.#opener.opened(extent.id, RecordType.data);
      if (!extent.hole && chunk === undefined) return false;
      addPieces(pieces, extent, chunk, Math.max(offset, extent.start), end);
      return true;
    };
    if (content.form === "inline") {
      let start = 0;
      for (const extent of content.extents) {
        if (start >= end) break;
        if (start + extent.length > offset && !take(placed(extent, start))) return undefined;
        start += extent.length;
      }
      return pieces;
    }
    for (let at = offset; at < end; ) {
      const extent = this.#extentNow(content.id, size, at);
      if (extent === undefined || !take(extent)) return undefined;
      at = extent.start + extent.length;
    }
    return pieces;
  }

  /** The extent that covers `at`, if all pages above it are in memory. */
  #extentNow(top: Uint8Array, size: number, at: number): PlacedExtent | undefined {
    let start = 0;
    let id = top;
    let expected: ExpectedPage = { length: size };
    for (;;) {
      const record = this.#opener.opened(id, RecordType.extents);
      if (record === undefined) return undefined;
      const page = parsedPage(record, expected);
      const row = page.rowFor(at - start);
      if (row >= page.rowCount) return undefined;
      const extent = page.extent(row);
      start += page.startAt(row);
      if (page.level === 0) return placedOf(page, extent, start);
      if (extent.hole) return undefined;
      id = page.id(extent.ordinal);
      expected = { level: page.level - 1, length: extent.length };
    }
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

  async #page(id: Uint8Array, expected: ExpectedPage, signal: AbortSignal | undefined): Promise<ExtentPage> {
    return parsedPage(await this.#opener.open(id, RecordType.extents, signal), expected);
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

/** A page of what is expected; parsed once as long as the cache keeps the record. @throws HoldfastError corrupt */
function parsedPage(record: OpenedRecord, expected: ExpectedPage): ExtentPage {
  const known = parsedPages.get(record);
  if (known !== undefined && known.length === expected.length) {
    if (expected.level === undefined || known.level === expected.level) return known;
  }
  const page = parseExtentPage(record.plaintext, record.refs, expected);
  parsedPages.set(record, page);
  return page;
}

const zeros = Buffer.alloc(256 * 1024);

/** Appends the bytes of an extent between two offsets in the file; the chunk may be shorter than its extent claims. */
function addPieces(
  pieces: Uint8Array[],
  extent: PlacedExtent,
  chunk: OpenedRecord | undefined,
  from: number,
  end: number,
): void {
  const to = Math.min(end, extent.start + extent.length);
  if (extent.hole || chunk === undefined) {
    for (let at = from; at < to; at += zeros.length) pieces.push(zeros.subarray(0, to - at));
    return;
  }
  const start = extent.offset + (from - extent.start);
  if (start + (to - from) > chunk.plaintext.length) {
    throw new HoldfastError(ErrorCode.corrupt, "an extent reaches out of its chunk");
  }
  pieces.push(chunk.plaintext.subarray(start, start + (to - from)));
}
