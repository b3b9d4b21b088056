// What a customer's target still lacks, as its agent lists it: a list of chunks (docs/format.md, section 12.3), held in memory.

import { readChunkList } from "../../../vault/seed/chunkList.ts";

/** Memory: 8 bytes a chunk. */
export class PrefixSet {
  readonly #groups: ReadonlyMap<number, Buffer>;
  readonly count: number;

  private constructor(groups: ReadonlyMap<number, Buffer>) {
    this.#groups = groups;
    this.count = [...groups.values()].reduce((sum, prefixes) => sum + prefixes.length / 8, 0);
  }

  /** @throws HoldfastError truncated, corrupt, unsupported */
  static async read(pieces: AsyncIterable<Uint8Array>): Promise<PrefixSet> {
    const runs = new Map<number, Buffer[]>();
    for await (const { group, prefixes } of readChunkList(pieces)) {
      const known = runs.get(group) ?? [];
      runs.set(group, known);
      known.push(Buffer.from(prefixes));
    }
    return new PrefixSet(new Map([...runs].map(([group, all]) => [group, Buffer.concat(all)])));
  }

  /** `id`: at least its first 8 bytes. */
  has(group: number, id: Uint8Array): boolean {
    const prefixes = this.#groups.get(group);
    if (prefixes === undefined) return false;
    let [low, high] = [0, prefixes.length / 8];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = Buffer.compare(prefixes.subarray(middle * 8, middle * 8 + 8), id.subarray(0, 8));
      if (order === 0) return true;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return false;
  }
}
