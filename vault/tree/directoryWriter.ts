// Writes a directory as a tree of pages, front to back (docs/format.md 6.4).
//
// Memory: one open page per level, whatever the number of entries. Where pages end depends on names and sizes
// nearby alone, so equal neighbourhoods give equal pages, whatever was written before.
import { compareBytes } from "../bytes.ts";
import { splitHash } from "../chunk/split.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { ChunkRef, EntryDraft } from "./entry.ts";
import { checkDraft, writeEntry } from "./entryWriter.ts";
import { PageBuilder, type RowWriter } from "./pageBuilder.ts";

/** Takes a finished page of a tree and returns its id. `refs` are 32 bytes each, in order of first use. */
export type EmitPage = (plaintext: Buffer, refs: Buffer) => Buffer;

/** A written directory: its root page, and how many entries it has. */
export type WrittenDirectory = {
  readonly id: Buffer;
  readonly plainLength: number;
  readonly rows: number;
};

type Level = {
  readonly builder: PageBuilder;
  /** Name of the first row of the open page. */
  lowestName: Buffer;
  /** Entries below the open page. */
  rows: number;
  /** Pages that were emitted at this level, and the last of them. */
  pages: number;
  last: WrittenDirectory | undefined;
};

/** Whether a page may end after a row with this name. */
function isBoundary(name: Uint8Array, splitTable: Uint32Array): boolean {
  return splitHash(name, splitTable) >>> 26 === 0;
}

/** Takes entries in ascending order of name bytes. One writer per directory. */
export class DirectoryWriter {
  readonly #splitTable: Uint32Array;
  readonly #emit: EmitPage;
  readonly #levels: Level[] = [];
  #previous: Buffer | undefined;

  constructor(splitTable: Uint32Array, emit: EmitPage) {
    this.#splitTable = splitTable;
    this.#emit = emit;
  }

  /**
   * Adds the next entry; may emit pages.
   * @throws HoldfastError corrupt for illegal values, a name twice or out of order; limit-exceeded
   */
  add(draft: EntryDraft): void {
    checkDraft(draft);
    if (this.#previous !== undefined && compareBytes(this.#previous, draft.name) >= 0) {
      throw new HoldfastError(ErrorCode.corrupt, "entries twice or out of order");
    }
    // a copy: the name may be a view of a page or of a buffer that is used again
    const name = Buffer.from(draft.name);
    this.#addRow(0, name, 1, (row, tables) => writeEntry(row, draft, tables));
    this.#previous = name;
  }

  /** Emits what is open and returns the root page. An empty directory is one page without rows. */
  finish(): WrittenDirectory {
    this.#level(0);
    for (let depth = 0; ; depth++) {
      const level = this.#level(depth);
      if (level.builder.rowCount > 0 || level.pages === 0) this.#endPage(depth);
      // one page alone is the root: the row that stands for it above is dropped with the writer
      if (level.pages === 1) return level.last!;
    }
  }

  #level(depth: number): Level {
    const known = this.#levels[depth];
    if (known !== undefined) return known;
    if (depth > limits.pageLevelMax) {
      throw new HoldfastError(ErrorCode.limitExceeded, "directory too large: over 8 levels of pages");
    }
    const builder = new PageBuilder(depth);
    const level: Level = { builder, lowestName: Buffer.alloc(0), rows: 0, pages: 0, last: undefined };
    this.#levels.push(level);
    return level;
  }

  #addRow(depth: number, name: Buffer, rows: number, write: RowWriter): void {
    const level = this.#level(depth);
    if (!level.builder.tryAdd(write)) {
      if (level.builder.rowCount > 0) this.#endPage(depth);
      if (!level.builder.tryAdd(write)) {
        throw new HoldfastError(ErrorCode.limitExceeded, "entry too large for a page");
      }
    }
    if (level.builder.rowCount === 1) level.lowestName = name;
    level.rows += rows;
    if (level.builder.length >= limits.pageBytesMin && isBoundary(name, this.#splitTable)) {
      this.#endPage(depth);
    }
  }

  #endPage(depth: number): void {
    const level = this.#level(depth);
    const { plaintext, refs } = level.builder.finish();
    const page = { id: this.#emit(plaintext, refs), plainLength: plaintext.length, rows: level.rows };
    level.rows = 0;
    level.pages++;
    level.last = page;
    if (page.rows > 0)
      this.#addRow(depth + 1, level.lowestName, page.rows, branchRow(level.lowestName, page));
  }
}

function branchRow(lowestName: Buffer, page: ChunkRef & { readonly rows: number }): RowWriter {
  return (row, tables) => {
    row.varint(lowestName.length);
    row.bytes(lowestName);
    row.varint(tables.ordinalOf(page));
    row.varint(page.rows);
  };
}
