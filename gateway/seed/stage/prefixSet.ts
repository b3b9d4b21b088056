// What a customer's target still lacks, as its agent lists it: lists of chunks (docs/format.md, section 12.3), held in memory.

import { prefixBytes, readChunkList } from "../../../vault/seed/chunkList.ts";

/** What is in any of some lists. Memory: 8 bytes a chunk and list. */
export class PrefixSet {
  /** By group, sorted. */
  readonly #lists: ReadonlyMap<number, Buffer>[] = [];

  /** @throws HoldfastError truncated, corrupt, unsupported; what `pieces` throws */
  async add(pieces: AsyncIterable<Uint8Array>): Promise<void> {
    const runs = new Map<number, Buffer[]>();
    for await (const { group, prefixes } of readChunkList(pieces)) {
      const known = runs.get(group) ?? [];
      runs.set(group, known);
      known.push(Buffer.from(prefixes));
    }
    this.#lists.push(new Map([...runs].map(([group, all]) => [group, Buffer.concat(all)])));
  }

  /** `id`: at least its first 8 bytes. */
  has(group: number, id: Uint8Array): boolean {
    return this.#lists.some((groups) => isIn(groups.get(group), id.subarray(0, prefixBytes)));
  }
}

function isIn(prefixes: Buffer | undefined, prefix: Uint8Array): boolean {
  if (prefixes === undefined) return false;
  let [low, high] = [0, prefixes.length / prefixBytes];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = middle * prefixBytes;
    const order = Buffer.compare(prefixes.subarray(at, at + prefixBytes), prefix);
    if (order === 0) return true;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  return false;
}
