// Where chosen records are. Memory: 32 bytes for each.

import type { ChunkRow } from "../../index/row.ts";

/** A record and its place in a vault. */
export type ChosenRecord = Pick<ChunkRow, "ordinal" | "pack" | "offset" | "length" | "type" | "writer"> & {
  readonly group: number;
};

const Word = { group: 0, low: 1, mixed: 2, pack: 3, offset: 4, length: 5, writer: 6 } as const;
const words = 7;
const pageRows = 65_536;

export class RecordTable {
  readonly #pages: Uint32Array[] = [];
  #count = 0;
  #order: Uint32Array | undefined;

  get count(): number {
    return this.#count;
  }

  /** Not after sorting. */
  add(group: number, row: ChunkRow): void {
    const at = (this.#count % pageRows) * words;
    if (at === 0) this.#pages.push(new Uint32Array(pageRows * words));
    const page = this.#pages.at(-1) as Uint32Array;
    page[at + Word.group] = group;
    page[at + Word.low] = row.ordinal >>> 0;
    page[at + Word.mixed] = Math.floor(row.ordinal / 2 ** 32) | (row.type << 8);
    page[at + Word.pack] = row.pack;
    page[at + Word.offset] = row.offset;
    page[at + Word.length] = row.length;
    page[at + Word.writer] = row.writer;
    this.#count++;
  }

  /** As they lie in packs, so that they are read front to back. */
  sortByPlace(): void {
    this.#sort(
      (a, b) =>
        this.#word(a, Word.pack) - this.#word(b, Word.pack) ||
        this.#word(a, Word.offset) - this.#word(b, Word.offset),
    );
  }

  /** Children before their parents, as far as numbers tell. */
  sortByOrdinal(): void {
    this.#sort((a, b) => this.#ordinal(a) - this.#ordinal(b));
  }

  /** The record at a place of the order. */
  at(place: number): ChosenRecord {
    const row = this.#order === undefined ? place : (this.#order[place] as number);
    return {
      group: this.#word(row, Word.group),
      ordinal: this.#ordinal(row),
      pack: this.#word(row, Word.pack),
      offset: this.#word(row, Word.offset),
      length: this.#word(row, Word.length),
      type: this.#word(row, Word.mixed) >>> 8,
      writer: this.#word(row, Word.writer),
    };
  }

  #sort(compare: (a: number, b: number) => number): void {
    this.#order = Uint32Array.from({ length: this.#count }, (_, row) => row).sort(compare);
  }

  #ordinal(row: number): number {
    return (this.#word(row, Word.mixed) & 0xff) * 2 ** 32 + this.#word(row, Word.low);
  }

  #word(row: number, word: number): number {
    return (this.#pages[Math.floor(row / pageRows)] as Uint32Array)[
      (row % pageRows) * words + word
    ] as number;
  }
}
