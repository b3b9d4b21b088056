// What is here or on its way with a box: answers for `have`, and ordinals for records that rest on what is promised.
//
// Invariant: a row that is flagged `promised` is on its way while its box is open or another open box promises its id; else it is needed.

import { Width } from "../../vault/magic.ts";
import type { IndexOverlay } from "../index/overlay.ts";
import { type ChunkRow, isHere, rowFlags } from "../index/row.ts";
import type { Pins } from "../store/pins.ts";
import type { Promises } from "./promises.ts";

export class PromisedRecords {
  readonly #overlay: IndexOverlay;
  readonly #promises: Promises;
  readonly #pins: Pick<Pins, "told" | "rests">;

  /** `pins` are told what somebody is told of, or is to rest on. */
  constructor(overlay: IndexOverlay, promises: Promises, pins: Pick<Pins, "told" | "rests">) {
    this.#overlay = overlay;
    this.#promises = promises;
    this.#pins = pins;
  }

  /** The box that an id which is not here comes with; undefined for one that nobody promises, and one that was found wrong here. */
  boxOf(group: number, id: Uint8Array, row: ChunkRow | undefined): number | undefined {
    if (row !== undefined && !(row.flags & rowFlags.promised)) return undefined;
    if (row !== undefined && this.#promises.isOpen(row.pack)) return row.pack;
    return this.#promises.boxOf(group, id);
  }

  /** Per id (32 bytes one after the other) whether it is here or on its way. */
  have(group: number, ids: Uint8Array): boolean[] {
    return this.#overlay.lookupBatch(group, ids).map((row, i) => {
      const has = (row !== undefined && isHere(row)) || this.boxOf(group, idAt(ids, i), row) !== undefined;
      if (has && row !== undefined) this.#pins.told(row.ordinal);
      return has;
    });
  }

  /** Whether `have` answers no for every id of a group: nothing is here, sound or not, and no box is on its way. */
  isEmpty(group: number): boolean {
    return !this.#promises.any && this.#overlay.isEmpty(group);
  }

  /** Per id the box that it comes with, or undefined where it is here or nowhere. */
  boxesOf(group: number, ids: Uint8Array): (number | undefined)[] {
    if (!this.#promises.any) return new Array<undefined>(ids.length / Width.id).fill(undefined);
    return this.#overlay
      .lookupBatch(group, ids)
      .map((row, i) => (row !== undefined && isHere(row) ? undefined : this.boxOf(group, idAt(ids, i), row)));
  }

  /** Per id the ordinal of its record, here or on its way, for something that is to rest on it; undefined where it is neither. */
  rely(group: number, ids: Uint8Array): (number | undefined)[] {
    return this.#overlay.lookupBatch(group, ids).map((row, i) => {
      const ordinal = this.#relied(group, idAt(ids, i), row);
      if (ordinal !== undefined) this.#pins.rests(ordinal);
      return ordinal;
    });
  }

  #relied(group: number, id: Uint8Array, row: ChunkRow | undefined): number | undefined {
    if (row !== undefined && isHere(row)) return row.ordinal;
    const box = this.boxOf(group, id, row);
    return box === undefined ? undefined : this.#overlay.promise(group, id, box);
  }
}

function idAt(ids: Uint8Array, i: number): Uint8Array {
  return ids.subarray(i * Width.id, (i + 1) * Width.id);
}
