// What must not be taken over from the previous snapshot although it did not change: content in records that a run moves away from, or that the gateway lacks.

import type { PreviousRow } from "./previousTree.ts";

export class MovedContent {
  readonly #move: ReadonlySet<string>;

  /** `move`: ids of the records, as latin1. */
  constructor(move: ReadonlySet<string>) {
    this.#move = move;
  }

  /** Whether the file is to leave a bundle that is hardly used any more, or the gateway lacks some of it. */
  moves(old: PreviousRow): boolean {
    if (this.#move.size === 0) return false;
    const { content } = old.page.entry(old.row);
    if (this.lacksAttributes(old)) return true;
    if (content?.form === "pages") return this.#isMoved(old, content.ordinal);
    return content?.extents.some((extent) => !extent.hole && this.#isMoved(old, extent.ordinal)) === true;
  }

  /** Whether the gateway lacks the attributes of an entry. */
  lacksAttributes(old: PreviousRow): boolean {
    if (this.#move.size === 0) return false;
    const { xattrs } = old.page.entry(old.row);
    return xattrs.form === "record" && this.#isMoved(old, xattrs.ordinal);
  }

  #isMoved({ page }: PreviousRow, ordinal: number): boolean {
    return this.#move.has(page.ref(ordinal).id.toString("latin1"));
  }
}
