// Which snapshots reach packs that cannot be sent: those are held back. Costs nothing while all packs can be sent.
//
// A record that was reported may be served as any of the copies that are kept of it (catalog/needs.ts), so a snapshot reaches what each of them
// refers to, and their packs.

import type { Needs } from "../../catalog/needs.ts";
import type { ChunkIndex } from "../../index/chunkIndex.ts";

/** Records after which other work gets its turn. */
const recordsAtOnce = 20_000;

export class SnapshotReach {
  readonly #index: ChunkIndex;
  /** Ordinals of records in packs that cannot be sent. */
  readonly #bad = new Set<number>();
  readonly #any: boolean;
  /** What kept copies refer to, by the ordinal of their record. */
  readonly #besides = new Map<number, readonly number[]>();
  /** Records that reach none of them. */
  readonly #good = new Set<number>();

  /** `packs`: ordinals of packs that cannot be sent. The index is flushed. */
  constructor(index: ChunkIndex, needs: Pick<Needs, "kept">, packs: readonly number[]) {
    this.#index = index;
    this.#any = packs.length > 0;
    if (!this.#any) return;
    const wanted = new Set(packs);
    index.scan(undefined, Number.POSITIVE_INFINITY, (_group, _id, row) => {
      if (wanted.has(row.pack)) this.#bad.add(row.ordinal);
    });
    for (const { group, id, copies } of needs.kept()) {
      const row = index.lookup(group, id);
      if (row === undefined) continue;
      if (copies.some(({ pack }) => wanted.has(pack))) this.#bad.add(row.ordinal);
      this.#besides.set(
        row.ordinal,
        copies.flatMap(({ refs }) => refs),
      );
    }
  }

  /**
   * Whether a record (by ordinal; undefined: it is not here any more) and everything below it is in packs that can be sent, by walking clear
   * references. Throws the signal's reason when it fires.
   */
  async whole(root: number | undefined, signal: AbortSignal): Promise<boolean> {
    if (!this.#any) return true;
    if (root === undefined) return false;
    const seen = new Set<number>([root]);
    const pending = [root];
    let count = 0;
    for (let ordinal = pending.pop(); ordinal !== undefined; ordinal = pending.pop()) {
      if (this.#bad.has(ordinal)) return false;
      if (++count % recordsAtOnce === 0) await new Promise((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
      for (const ref of this.#refsOf(ordinal)) {
        if (seen.has(ref) || this.#good.has(ref)) continue;
        seen.add(ref);
        pending.push(ref);
      }
    }
    for (const ordinal of seen) this.#good.add(ordinal);
    return true;
  }

  #refsOf(ordinal: number): readonly number[] {
    const refs = this.#index.refsOf(ordinal);
    const besides = this.#besides.get(ordinal);
    return besides === undefined ? refs : [...refs, ...besides];
  }
}
