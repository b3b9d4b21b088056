// Which bucket holds a hash, for one group: extendible hashing whose directory lives in memory only.
//
// Invariants
// - The buckets of a group partition the 32-bit hash space. A bucket of depth d starts at a multiple of
//   2^(32-d), covers 2^(32-d) hashes, and its LMDB key is (group, start).
// - So the sorted starts alone say every depth, and the directory is rebuilt from keys at open: there is no second
//   truth on disk that could differ after a crash.
// - One byte for each slot: 2^21 slots (2 MiB) serve 100 million chunks.

/** Deeper means 2^24 full buckets or a hash that is not uniform; both are outside of what an index is for. */
const depthMax = 24;

/** First hash of the bucket of this depth that holds `hash`. */
export function bucketStart(hash: number, depth: number): number {
  return depth === 0 ? 0 : ((hash >>> (32 - depth)) << (32 - depth)) >>> 0;
}

/** Number of hashes that a bucket of this depth covers. */
export function bucketSpan(depth: number): number {
  return 2 ** (32 - depth);
}

export class BucketDirectory {
  #depth = 0;
  #depths = new Uint8Array(1);

  /** The directory of a group whose buckets start at these hashes, ascending. Throws where they are no partition. */
  static fromStarts(starts: readonly number[]): BucketDirectory {
    const directory = new BucketDirectory();
    let expected = 0;
    starts.forEach((start, at) => {
      const span = (starts[at + 1] ?? 2 ** 32) - start;
      const depth = 32 - Math.log2(span);
      if (start !== expected || !Number.isInteger(depth) || start % span !== 0) {
        throw new Error("chunk index: the buckets of a group do not partition the hash space");
      }
      directory.#widen(depth);
      directory.#mark(start, depth);
      expected = start + span;
    });
    return directory;
  }

  /** Depth of the bucket that holds `hash`. */
  depthOf(hash: number): number {
    return this.#depths[this.#slot(hash)] as number;
  }

  /** Records that the bucket at `start` became two of depth `depth`. */
  split(start: number, depth: number): void {
    this.#widen(depth);
    this.#mark(start, depth);
    this.#mark(start + bucketSpan(depth), depth);
  }

  #slot(hash: number): number {
    return this.#depth === 0 ? 0 : hash >>> (32 - this.#depth);
  }

  #widen(depth: number): void {
    if (depth > depthMax) throw new Error(`chunk index: bucket depth ${depth} exceeds ${depthMax}`);
    while (this.#depth < depth) {
      const wide = new Uint8Array(this.#depths.length * 2);
      for (let slot = 0; slot < wide.length; slot++) wide[slot] = this.#depths[slot >>> 1] as number;
      this.#depths = wide;
      this.#depth++;
    }
  }

  #mark(start: number, depth: number): void {
    const first = this.#slot(start);
    this.#depths.fill(depth, first, first + 2 ** (this.#depth - depth));
  }
}
