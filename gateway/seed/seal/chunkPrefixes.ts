// The sorted first 8 bytes of the ids of a vault, group by group, for the list of chunks.
//
// The index knows ids in the order of a hash, so each group is gone through as often as its prefixes do not fit the memory for
// sorting: a range of prefixes each time. Memory: `sortedMax` prefixes twice, 128 MiB, however many chunks there are.

import type { ChunkIndex } from "../../index/chunkIndex.ts";
import type { ChunkRow } from "../../index/row.ts";

/** Prefixes that are sorted at a time. */
const sortedMaxDefault = 2 ** 23;
/** Buckets after which other work gets its turn. */
const bucketsAtOnce = 1000;
const prefixEnd = 2n ** 64n;

export type PrefixGroup = { readonly group: number; readonly rows: number };

/** Whether the list names a row. Also rows of what is not here are asked about. */
export type OnBoard = (row: ChunkRow) => boolean;

export class ChunkPrefixes {
  readonly #index: ChunkIndex;
  readonly #onBoard: OnBoard;
  readonly #sortedMax: number;

  /** The index is flushed, and does not change meanwhile. `sortedMax`: for tests. */
  constructor(index: ChunkIndex, onBoard: OnBoard, sortedMax: number = sortedMaxDefault) {
    this.#index = index;
    this.#onBoard = onBoard;
    this.#sortedMax = Math.max(sortedMax, 2);
  }

  /** Groups that have rows on board, ascending. */
  async groups(): Promise<PrefixGroup[]> {
    const counts = new Map<number, number>();
    await this.#visit(0, undefined, (group) => counts.set(group, (counts.get(group) ?? 0) + 1));
    return [...counts].map(([group, rows]) => ({ group, rows })).sort((a, b) => a.group - b.group);
  }

  /** The distinct prefixes of a group, ascending, as runs of big-endian numbers. */
  async *runs({ group, rows }: PrefixGroup): AsyncGenerator<Buffer> {
    const sorted = new BigUint64Array(Math.min(this.#sortedMax, Math.max(rows, 1)));
    // Nearly as many as fit, if ids are spread evenly; where they are not, the range is halved until it fits.
    const parts = BigInt(Math.max(1, Math.ceil(rows / (sorted.length * 0.9))));
    const widthUsual = rows <= sorted.length ? prefixEnd : prefixEnd / parts + 1n;
    let start = 0n;
    let width = widthUsual;
    while (start < prefixEnd) {
      const end = start + width < prefixEnd ? start + width : prefixEnd;
      const count = await this.#collect(group, start, end, sorted);
      if (count === undefined) {
        width = width / 2n > 0n ? width / 2n : 1n;
        continue;
      }
      if (count > 0) yield bigEndian(sorted.subarray(0, count));
      start = end;
      width = widthUsual;
    }
  }

  /** Distinct prefixes from `start` to below `end`, sorted into `sorted`; undefined when there is no room for them. */
  async #collect(
    group: number,
    start: bigint,
    end: bigint,
    sorted: BigUint64Array,
  ): Promise<number | undefined> {
    let count = 0;
    let full = false;
    await this.#visit(group, group, (_group, idPrefix) => {
      if (full) return;
      const prefix = readBigEndian(idPrefix);
      if (prefix < start || prefix >= end) return;
      if (count === sorted.length) {
        count = sortDistinct(sorted, count);
        full = count === sorted.length;
        if (full) return;
      }
      sorted[count++] = prefix;
    });
    return full ? undefined : sortDistinct(sorted, count);
  }

  async #visit(
    from: number,
    only: number | undefined,
    visit: (group: number, idPrefix: Uint8Array) => void,
  ): Promise<void> {
    let cursor: { group: number; hash: number } | undefined = { group: from, hash: 0 };
    while (cursor !== undefined && (only === undefined || cursor.group === only)) {
      cursor = this.#index.scan(cursor, bucketsAtOnce, (group, idPrefix, row) => {
        if ((only === undefined || group === only) && this.#onBoard(row)) visit(group, idPrefix);
      });
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

function readBigEndian(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, false);
}

/** Sorts the first `count` numbers and takes repeated ones out; how many are left. */
function sortDistinct(numbers: BigUint64Array, count: number): number {
  numbers.subarray(0, count).sort();
  let kept = 0;
  for (let at = 0; at < count; at++) {
    if (at > 0 && numbers[at] === numbers[kept - 1]) continue;
    numbers[kept++] = numbers[at]!;
  }
  return kept;
}

function bigEndian(numbers: BigUint64Array): Buffer {
  const bytes = Buffer.alloc(numbers.length * 8);
  for (let at = 0; at < numbers.length; at++) bytes.writeBigUInt64BE(numbers[at]!, at * 8);
  return bytes;
}
