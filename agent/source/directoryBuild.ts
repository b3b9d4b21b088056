// Puts one directory of the new snapshot together while its files are still being read.
//
// Invariants:
//  - Rows leave in the order in which they were announced (the order of names), whatever order they are resolved in.
//  - As long as the rows are exactly the previous snapshot's, in its order, nothing is built; if that holds to the
//    end, the previous pages stand. The first difference replays the rows so far into a writer.
//  - Only rows that are announced and not yet resolved, or behind such a row, are held in memory.

import type { DirectoryWriter } from "../../vault/tree/directoryWriter.ts";
import { type EntryDraft, EntryKind } from "../../vault/tree/entry.ts";
import { emptyRowStat } from "../../vault/tree/entryReader.ts";
import type { Leaves, PreviousRow, PreviousTree } from "./previousTree.ts";

const scratch = emptyRowStat();

export type DirectoryResult = {
  readonly id: Buffer;
  readonly plainLength: number;
  readonly files: number;
  readonly directories: number;
  readonly bytes: number;
};

/** A row whose outcome is not known yet. Resolve it exactly once. */
export type Slot = {
  outcome: "pending" | "dropped" | PreviousRow | EntryDraft;
};

export type PreviousDirectory = {
  readonly tree: PreviousTree;
  readonly id: Buffer;
  readonly plainLength: number;
  readonly leaves: Leaves;
};

/** Rows of all directories that wait for an earlier row: the walk stops for a while when they are many. */
export class Backlog {
  static readonly rowsMax = 100_000;
  #rows = 0;
  #waiting: (() => void)[] = [];

  get hasRoom(): boolean {
    return this.#rows <= Backlog.rowsMax;
  }

  grow(rows: number): void {
    this.#rows += rows;
    if (rows < 0 && this.hasRoom) for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Resolves when few enough rows wait. */
  async room(): Promise<void> {
    while (!this.hasRoom) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

export class DirectoryBuild {
  readonly #previous: PreviousDirectory | undefined;
  readonly #makeWriter: () => DirectoryWriter;
  readonly #done: (result: DirectoryResult) => void;
  #writer: DirectoryWriter | undefined;
  #slots: Slot[] = [];
  #head = 0;
  #same = 0;
  #ended = false;
  #finished = false;
  #files = 0;
  #directories = 0;
  #bytes = 0;

  readonly #backlog: Backlog;

  /** @param done called once, after end(), when every row is resolved; may be called inside end() or resolve() */
  constructor(
    previous: PreviousDirectory | undefined,
    makeWriter: () => DirectoryWriter,
    backlog: Backlog,
    done: (result: DirectoryResult) => void,
  ) {
    this.#previous = previous;
    this.#makeWriter = makeWriter;
    this.#done = done;
    this.#backlog = backlog;
    if (previous === undefined) this.#writer = makeWriter();
  }

  /** Adds a row whose outcome is known. */
  add(outcome: PreviousRow | EntryDraft): void {
    if (this.#head === this.#slots.length) this.#take(outcome);
    else this.#push({ outcome });
  }

  /** Announces a row; resolve it later. */
  announce(): Slot {
    const slot: Slot = { outcome: "pending" };
    this.#push(slot);
    return slot;
  }

  /** Gives an announced row its outcome: the previous row, a new entry, or nothing ("dropped"). */
  resolve(slot: Slot, outcome: "dropped" | PreviousRow | EntryDraft): void {
    slot.outcome = outcome;
    this.#drain();
  }

  /** No more rows will come. */
  end(): void {
    this.#ended = true;
    this.#drain();
  }

  #push(slot: Slot): void {
    this.#slots.push(slot);
    this.#backlog.grow(1);
  }

  #drain(): void {
    let taken = 0;
    for (let slot = this.#slots[this.#head]; slot !== undefined; slot = this.#slots[this.#head]) {
      if (slot.outcome === "pending") break;
      if (slot.outcome !== "dropped") this.#take(slot.outcome);
      this.#head += 1;
      taken += 1;
      if (this.#head >= 1024) {
        this.#slots = this.#slots.slice(this.#head);
        this.#head = 0;
      }
    }
    if (taken > 0) this.#backlog.grow(-taken);
    if (this.#ended && this.#head === this.#slots.length && !this.#finished) this.#finish();
  }

  #take(outcome: PreviousRow | EntryDraft): void {
    if ("index" in outcome) this.#takePrevious(outcome);
    else {
      this.#build().add(outcome);
      this.#count(outcome.kind, outcome.size ?? 0, outcome.child);
    }
  }

  #takePrevious(row: PreviousRow): void {
    if (row.fileBytes !== undefined) this.#count(EntryKind.file, row.fileBytes, undefined);
    else {
      const { kind, size } = row.page.statAt(row.row, scratch);
      this.#count(kind, size, kind === EntryKind.directory ? row.page.entry(row.row).child : undefined);
    }
    if (this.#writer === undefined && row.index === this.#same) this.#same += 1;
    else this.#build().add(row.page.draft(row.row));
  }

  #count(
    kind: EntryKind,
    size: number,
    child: { files: number; directories: number; bytes: number } | undefined,
  ): void {
    if (kind !== EntryKind.directory) {
      this.#files += 1;
      this.#bytes += size;
      return;
    }
    this.#directories += 1 + (child?.directories ?? 0);
    this.#files += child?.files ?? 0;
    this.#bytes += child?.bytes ?? 0;
  }

  /** The writer; when the rows so far were the previous ones, they are replayed into it first. */
  #build(): DirectoryWriter {
    if (this.#writer !== undefined) return this.#writer;
    const writer = this.#makeWriter();
    this.#writer = writer;
    const previous = this.#previous as PreviousDirectory;
    let left = this.#same;
    for (const leaf of previous.leaves.ids) {
      if (left === 0) break;
      const page = previous.tree.loadedLeaf(leaf);
      for (let row = 0; row < page.rowCount && left > 0; row++, left--) writer.add(page.draft(row));
    }
    return writer;
  }

  #finish(): void {
    this.#finished = true;
    const totals = { files: this.#files, directories: this.#directories, bytes: this.#bytes };
    const previous = this.#previous;
    if (this.#writer === undefined && previous !== undefined && this.#same === previous.leaves.rows) {
      this.#done({ id: previous.id, plainLength: previous.plainLength, ...totals });
      return;
    }
    const written = this.#build().finish();
    this.#done({ id: written.id, plainLength: written.plainLength, ...totals });
  }
}
