// The content that a restore to a target would fetch, as a list of chunks of one group (docs/format.md, section 12.3): what a box has to
// bring.
//
// Memory: 16 MiB of prefixes, and as much again while the list is written. More than that goes to a file beside the list, in sorted runs;
// ids are outputs of a MAC, so that a range of them holds about the same share of each run.

import { closeSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { encodeChunkList, prefixBytes } from "../../vault/seed/chunkList.ts";
import { replaceFileBy, stateFileError } from "../state/durableFile.ts";

const heldMaxDefault = 2 ** 20;
const rangeEnd = 2n ** 64n;

export class NeedList {
  readonly #path: string;
  readonly #group: number;
  readonly #held: BigUint64Array;
  #count = 0;
  /** Prefixes in the runs of the file beside the list, in their order. */
  readonly #runs: number[] = [];
  #file: number | undefined;
  #bytes = 0;
  #failure: unknown;

  /** `path`: of the list. `heldMax`: for tests. */
  constructor(path: string, group: number, heldMax: number = heldMaxDefault) {
    this.#path = path;
    this.#group = group;
    this.#held = new BigUint64Array(heldMax);
  }

  /** Bytes of content that were added, a chunk counted as often as it was. */
  get bytes(): number {
    return this.#bytes;
  }

  /** `bytes`: about what it brings. @throws HoldfastError disk-full, io-error */
  add(id: Uint8Array, bytes: number): void {
    if (this.#count === this.#held.length) this.#spill();
    this.#held[this.#count++] = new DataView(id.buffer, id.byteOffset, prefixBytes).getBigUint64(0);
    this.#bytes += bytes;
  }

  /** Writes the list durably; how many chunks it names. @throws HoldfastError disk-full, io-error */
  async write(): Promise<number> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#count = sortDistinct(this.#held, this.#count);
    if (this.#runs.length > 0 && this.#count > 0) this.#spill();
    let count = 0;
    for (const run of this.#sorted()) count += run.length / prefixBytes;
    const groups = count === 0 ? [] : [{ group: this.#group, count, prefixes: this.#sorted() }];
    await replaceFileBy(this.#path, encodeChunkList(groups));
    return count;
  }

  close(): void {
    if (this.#file === undefined) return;
    closeSync(this.#file);
    this.#file = undefined;
    rmSync(this.#scratch, { force: true });
  }

  get #scratch(): string {
    return `${this.#path}.sorting`;
  }

  /** What repeats is taken out; where that makes no room, all of it goes to the file. */
  #spill(): void {
    const count = sortDistinct(this.#held, this.#count);
    this.#count = count;
    if (this.#runs.length === 0 && count <= this.#held.length / 2) return;
    try {
      this.#file ??= openSync(this.#scratch, "w+", 0o600);
      const { buffer } = this.#held;
      for (let at = 0; at < count * prefixBytes; ) {
        at += writeSync(this.#file, new Uint8Array(buffer, at, count * prefixBytes - at));
      }
    } catch (error) {
      this.#failure = stateFileError(error, this.#scratch);
      throw this.#failure;
    }
    this.#runs.push(count);
    this.#count = 0;
  }

  /** All prefixes, ascending and each once. */
  *#sorted(): Generator<Buffer> {
    if (this.#runs.length === 0) {
      if (this.#count > 0) yield bigEndian(this.#held.subarray(0, this.#count));
      return;
    }
    const total = this.#runs.reduce((sum, count) => sum + count, 0);
    const parts = BigInt(Math.ceil(total / (this.#held.length / 2)));
    let start = 0;
    const runs = this.#runs.map((count) => {
      const reader = new RunReader(this.#file as number, start, count, this.#scratch);
      start += count;
      return reader;
    });
    for (let part = 1n; part <= parts; part++) {
      const end = part === parts ? rangeEnd : (rangeEnd / parts) * part;
      const numbers = BigUint64Array.from(runs.flatMap((run) => run.below(end)));
      const count = sortDistinct(numbers, numbers.length);
      if (count > 0) yield bigEndian(numbers.subarray(0, count));
    }
  }
}

/** Reads one sorted run from its front. */
class RunReader {
  readonly #file: number;
  readonly #path: string;
  #at: number;
  #left: number;
  #piece: BigUint64Array<ArrayBufferLike> = new BigUint64Array(0);
  #used = 0;

  constructor(file: number, start: number, count: number, path: string) {
    this.#file = file;
    this.#path = path;
    this.#at = start * prefixBytes;
    this.#left = count;
  }

  /** The next numbers, as far as they are below `end`. */
  below(end: bigint): bigint[] {
    const found: bigint[] = [];
    for (;;) {
      if (this.#used === this.#piece.length && !this.#fill()) return found;
      const next = this.#piece[this.#used] as bigint;
      if (next >= end) return found;
      found.push(next);
      this.#used++;
    }
  }

  #fill(): boolean {
    if (this.#left === 0) return false;
    const numbers = new BigUint64Array(Math.min(this.#left, 4096));
    const bytes = new Uint8Array(numbers.buffer);
    for (let filled = 0; filled < bytes.length; ) {
      const got = readSync(this.#file, bytes, filled, bytes.length - filled, this.#at + filled);
      if (got === 0) throw stateFileError(new Error("it is shorter than what was written"), this.#path);
      filled += got;
    }
    this.#at += bytes.length;
    this.#left -= numbers.length;
    [this.#piece, this.#used] = [numbers, 0];
    return true;
  }
}

/** Sorts the first `count` numbers and takes repeated ones out; how many are left. */
function sortDistinct(numbers: BigUint64Array, count: number): number {
  numbers.subarray(0, count).sort();
  let kept = 0;
  for (let at = 0; at < count; at++) {
    if (at > 0 && numbers[at] === numbers[kept - 1]) continue;
    numbers[kept++] = numbers[at] as bigint;
  }
  return kept;
}

function bigEndian(numbers: BigUint64Array): Buffer {
  const bytes = Buffer.alloc(numbers.length * prefixBytes);
  for (const [index, number] of numbers.entries()) bytes.writeBigUInt64BE(number, index * prefixBytes);
  return bytes;
}
