// Which records of a vault are needed: the mark of garbage collection, on clear references stored as ordinals.
//
// Children are admitted before parents, so their ordinals are lower: one pass over the table of references, from the highest ordinal to the
// lowest, marks all that is below what is marked already. What does not fit that order (a record that took over the ordinal of a promised or
// quarantined one), and what comes while a pass runs, goes on a list and is walked by itself.
//
// Invariants
// - When nothing is left, every ordinal that a marked one refers to is marked.
// - Memory: a bit for each ordinal, `listMax` numbers, one window of the table. Where the list is full, another pass takes its place.

import type { IndexUpkeep } from "../../index/indexUpkeep.ts";
import { OrdinalSet } from "../../index/ordinalSet.ts";
import { eachRef } from "../../index/refTable.ts";

export type MarkerOptions = {
  readonly index: Pick<IndexUpkeep, "visitRefsDown" | "highestWithRefs" | "refsOf">;
  /** Only ordinals below this one are looked at: later ones live. */
  readonly below: number;
  /** Told of each ordinal that comes to be marked. */
  readonly onMarked?: (ordinal: number) => void;
  /** For tests. */
  readonly listMax?: number;
};

const listMaxUsual = 262_144;
const windowOrdinals = 4096;
/** Records of the list after which other work gets its turn. */
const walkedAtOnce = 4096;

export class Marker {
  readonly marked = new OrdinalSet();
  /** References looked at. */
  refs = 0;
  readonly #options: MarkerOptions;
  readonly #listMax: number;
  /** Marked, and what they refer to may not be. */
  #list: number[] = [];
  #overflow = false;

  constructor(options: MarkerOptions) {
    this.#options = options;
    this.#listMax = options.listMax ?? listMaxUsual;
  }

  /** A record is needed, with all that is below it. */
  add(ordinal: number): void {
    if (this.#mark(ordinal)) this.#keep(ordinal);
  }

  /** Records whose references are still to be looked at, as far as is known. */
  get left(): number {
    return this.#overflow ? Number.POSITIVE_INFINITY : this.#list.length;
  }

  /** Marks all that is below what was added; `turn` is awaited now and then and told how far the pass is, from 0 to 1. */
  async run(turn: (part: number) => Promise<void>): Promise<void> {
    await this.#pass(turn);
    await this.settle(turn);
  }

  /** As `run`, after it: for what was added since. */
  async settle(turn: (part: number) => Promise<void>): Promise<void> {
    while (this.left > 0) {
      if (this.#overflow) await this.#pass(turn);
      this.#walk(walkedAtOnce);
      await turn(1);
    }
  }

  /** The same at once, for the little that came since `settle`. */
  settleNow(): void {
    if (this.#overflow) throw new Error("mark: more came at once than fits the list");
    this.#walk(Number.POSITIVE_INFINITY);
  }

  async #pass(turn: (part: number) => Promise<void>): Promise<void> {
    const { index, below } = this.#options;
    // All that is marked by now is met by this pass.
    this.#list = [];
    this.#overflow = false;
    const top = Math.min(below, (index.highestWithRefs() ?? -1) + 1);
    for (let end = top; end > 0; end -= windowOrdinals) {
      index.visitRefsDown(Math.max(0, end - windowOrdinals), end, (ordinal, encoded) => {
        if (!this.marked.has(ordinal)) return;
        eachRef(encoded, (ref) => {
          this.refs++;
          if (this.#mark(ref) && ref > ordinal) this.#keep(ref);
        });
      });
      await turn((top - end) / top);
    }
  }

  #walk(most: number): void {
    for (let count = 0; count < most; count++) {
      const ordinal = this.#list.pop();
      if (ordinal === undefined) return;
      for (const ref of this.#options.index.refsOf(ordinal)) {
        this.refs++;
        if (this.#mark(ref)) this.#keep(ref, most === Number.POSITIVE_INFINITY);
      }
    }
  }

  #mark(ordinal: number): boolean {
    if (ordinal >= this.#options.below || !this.marked.add(ordinal)) return false;
    this.#options.onMarked?.(ordinal);
    return true;
  }

  #keep(ordinal: number, always = false): void {
    if (always || this.#list.length < this.#listMax) this.#list.push(ordinal);
    else this.#overflow = true;
  }
}
