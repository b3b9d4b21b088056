// How much of each pack lives, by its rows in the index.
//
// Memory: 16 bytes for each pack number that was ever given.

import { Width } from "../../../vault/magic.ts";
import type { PackRow } from "../../index/packTable.ts";
import { packedFlags, packedLength, packedPack, rowFlags } from "../../index/row.ts";

export class PackCensus {
  readonly #records: Float64Array;
  readonly #bytes: Float64Array;
  /** Packs that stay as they are. */
  readonly #held = new Set<number>();

  /** `packs`: above all pack ordinals that count. */
  constructor(packs: number) {
    this.#records = new Float64Array(packs);
    this.#bytes = new Float64Array(packs);
  }

  /** Counts a packed row (row.ts). */
  add(words: Uint32Array, at: number): void {
    const pack = packedPack(words, at);
    // A promised row has the number of a box there, one without any copy a number that no pack has.
    if (packedFlags(words, at) & rowFlags.promised || pack >= this.#records.length) return;
    this.#records[pack] = (this.#records[pack] as number) + 1;
    this.#bytes[pack] = (this.#bytes[pack] as number) + packedLength(words, at) + Width.frame;
  }

  /** Something other than a row needs a pack. */
  hold(pack: number): void {
    this.#held.add(pack);
  }

  /** Whether nothing needs a pack. */
  isDead({ ordinal }: Pick<PackRow, "ordinal">): boolean {
    return this.#records[ordinal] === 0 && !this.#held.has(ordinal);
  }

  /** Whether what lives of a pack may be copied to another: nothing but rows needs it, and it was counted. */
  mayMove({ ordinal }: Pick<PackRow, "ordinal">): boolean {
    return !this.#held.has(ordinal) && ordinal < this.#records.length;
  }

  /**
   * How much of a pack's records rows name, from 0 to 1, by bytes: what else is in a pack is no reason to write it anew. 1 for one that is to
   * stay as it is, or that was not counted.
   */
  livePart(pack: Pick<PackRow, "ordinal" | "bytes" | "records">): number {
    if (!this.mayMove(pack)) return 1;
    const { packHeader, trailerHeader, trailerRow, deviceId, footer } = Width;
    const rest = packHeader + trailerHeader + pack.records * trailerRow + deviceId + footer;
    return Math.min(1, this.liveBytes(pack) / Math.max(1, pack.bytes - rest));
  }

  /** Bytes of records and frames that rows name. */
  liveBytes({ ordinal }: Pick<PackRow, "ordinal">): number {
    return this.#bytes[ordinal] ?? 0;
  }
}
