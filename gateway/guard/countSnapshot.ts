// Which chunks a snapshot reaches that the one before did not, and the other way round, by clear references alone.
//
// Memory: a bit for each record of the vault that a set speaks of; the sets of the items that came last are kept, since each is what the
// item's next snapshot is compared with.

import { fromHex } from "../../vault/bytes.ts";
import type { Snapshot } from "../catalog/vaultCatalog.ts";
import { OrdinalSet } from "../index/ordinalSet.ts";
import { walkBelow } from "../index/walkBelow.ts";
import type { VaultStore } from "../store/vaultStore.ts";

/** Of sets that are kept. */
const keptBytesMax = 32 * 2 ** 20;

export type ChunkCounts = {
  readonly chunks: number;
  readonly newChunks: number;
  readonly goneChunks: number;
};

export class SnapshotCounter {
  /** By item, the one that was used last at the end. */
  readonly #kept = new Map<string, { readonly root: number; readonly set: OrdinalSet }>();

  /**
   * Undefined where a root is not here. `chunksBefore`: those of `before`, which spares the walk where both are the same tree. Throws the
   * signal's reason when it fires.
   */
  async count(
    store: VaultStore,
    snapshot: Snapshot,
    before: Snapshot | undefined,
    chunksBefore: number | undefined,
    signal: AbortSignal,
  ): Promise<ChunkCounts | undefined> {
    const rootOf = ({ group, root }: Snapshot): number | undefined =>
      store.lookup(group, fromHex(root, 32))?.ordinal;
    const root = rootOf(snapshot);
    const rootBefore = before === undefined ? undefined : rootOf(before);
    if (root === undefined || (before !== undefined && rootBefore === undefined)) return undefined;
    if (root === rootBefore && chunksBefore !== undefined) {
      return { chunks: chunksBefore, newChunks: 0, goneChunks: 0 };
    }
    const old =
      rootBefore === undefined ? new OrdinalSet() : await this.#set(store, snapshot.item, rootBefore, signal);
    const counts = { chunks: 0, newChunks: 0, goneChunks: 0 };
    const reached = new OrdinalSet();
    await walk(store, root, signal, reached, reached, (ordinal) => {
      counts.chunks++;
      if (!old.has(ordinal)) counts.newChunks++;
    });
    if (rootBefore !== undefined) {
      await walk(store, rootBefore, signal, new OrdinalSet(), reached, () => void counts.goneChunks++);
    }
    this.#keep(snapshot.item, root, reached);
    return counts;
  }

  async #set(store: VaultStore, item: string, root: number, signal: AbortSignal): Promise<OrdinalSet> {
    const kept = this.#kept.get(item);
    if (kept?.root === root) return kept.set;
    const set = new OrdinalSet();
    await walk(store, root, signal, set, set, () => undefined);
    return set;
  }

  #keep(item: string, root: number, set: OrdinalSet): void {
    this.#kept.delete(item);
    this.#kept.set(item, { root, set });
    let bytes = 0;
    for (const each of this.#kept.values()) bytes += each.set.bytes;
    for (const [oldest, each] of this.#kept) {
      if (bytes <= keptBytesMax) return;
      this.#kept.delete(oldest);
      bytes -= each.set.bytes;
    }
  }
}

/** Visits the chunks below a root, but for what `known` has. */
async function walk(
  { index }: VaultStore,
  root: number,
  signal: AbortSignal,
  seen: OrdinalSet,
  known: OrdinalSet,
  chunk: (ordinal: number) => void,
): Promise<void> {
  const visit = (ordinal: number, refs: number): "stop" | "on" => {
    if (refs === 0) chunk(ordinal);
    return signal.aborted ? "stop" : "on";
  };
  await walkBelow(index, root, visit, seen, known);
  signal.throwIfAborted();
}
