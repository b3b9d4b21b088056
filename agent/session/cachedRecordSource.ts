// The view's records from this machine's disk where they are there, else from the gateway; those are kept.

import type { RecordSource, TakeRecord } from "../../fs/view/ports.ts";
import { SealedCache } from "./sealedCache.ts";

export class CachedRecordSource implements RecordSource {
  readonly #source: RecordSource;
  readonly #cache: SealedCache;

  constructor(source: RecordSource, cache: SealedCache) {
    this.#source = source;
    this.#cache = cache;
  }

  async readEach(
    vaultId: string,
    group: number,
    ids: readonly Uint8Array[],
    take: TakeRecord,
    signal?: AbortSignal,
  ): Promise<void> {
    const keys = ids.map((id) => SealedCache.key(vaultId, group, id));
    const here: number[] = [];
    const away: number[] = [];
    for (const [index, key] of keys.entries()) (this.#cache.has(key) ? here : away).push(index);
    const fetch = async (indexes: readonly number[]): Promise<void> => {
      if (indexes.length === 0) return;
      const asked = indexes.map((index) => ids[index] as Uint8Array);
      const kept: TakeRecord = (at, result) => {
        const index = indexes[at];
        if (index === undefined) return;
        // Before it is taken: whoever takes it may pass its memory on.
        if (result.state === "record") {
          this.#cache.add(keys[index] as string, vaultId, group, result.record);
        }
        take(index, result);
      };
      await this.#source.readEach(vaultId, group, asked, kept, signal);
    };
    const lost: number[] = [];
    const load = async (index: number): Promise<void> => {
      const record = await this.#cache.read(keys[index] as string);
      if (record === undefined) lost.push(index);
      else take(index, { state: "record", record });
    };
    const outcomes = await Promise.allSettled([fetch(away), ...here.map(load)]);
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
    await fetch(lost);
  }

  /** A record was no good: the next read asks the gateway, which is told where it was its own. */
  discard(vaultId: string, group: number, id: Uint8Array): boolean {
    const wasHere = this.#cache.discard(SealedCache.key(vaultId, group, id));
    return this.#source.discard?.(vaultId, group, id) === true || wasHere;
  }
}
