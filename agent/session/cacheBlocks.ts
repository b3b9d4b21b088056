// Records that wait to be written to a segment, one behind the other in blocks of memory that are used again: memory for each record
// would be taken and given back thousands of times, and a write of its own for each costs more than the bytes.
//
// Invariant: at most `bytesMax` wait; blocks are filled front to back and never moved.

/** What a block holds: the key of a record, and where in the block it lies. */
export type BlockEntry = { readonly key: string; readonly at: number; readonly length: number };

export type Block = { readonly memory: Buffer; filled: number; readonly entries: BlockEntry[] };

/** Blocks that are kept when nothing waits. */
const sparesMax = 2;

export class CacheBlocks {
  readonly #blockBytes: number;
  readonly #bytesMax: number;
  #waiting: Block[] = [];
  #spares: Buffer[] = [];
  bytes = 0;

  /** `blockBytes`: of a block, unless one record alone is longer. */
  constructor(blockBytes: number, bytesMax: number) {
    this.#blockBytes = blockBytes;
    this.#bytesMax = bytesMax;
  }

  /** Room for `bytes` bytes, of which the last `length` are the record; undefined when too much waits. */
  reserve(key: string, bytes: number, length: number): Buffer | undefined {
    if (this.bytes + bytes > this.#bytesMax) return undefined;
    let block = this.#waiting.at(-1);
    if (block === undefined || block.filled + bytes > block.memory.length) {
      block = { memory: this.#memory(bytes), filled: 0, entries: [] };
      this.#waiting.push(block);
    }
    const at = block.filled;
    block.filled += bytes;
    this.bytes += bytes;
    block.entries.push({ key, at: at + bytes - length, length });
    return block.memory.subarray(at, at + bytes);
  }

  #memory(bytes: number): Buffer {
    if (bytes > this.#blockBytes) return Buffer.allocUnsafeSlow(bytes);
    return this.#spares.pop() ?? Buffer.allocUnsafeSlow(this.#blockBytes);
  }

  /** The block that has waited longest; nothing is added to it any more. Give it back with `written`. */
  take(): Block | undefined {
    return this.#waiting.shift();
  }

  written({ memory, filled }: Block): void {
    this.bytes -= filled;
    if (memory.length === this.#blockBytes && this.#spares.length < sparesMax) this.#spares.push(memory);
  }

  /** Forgets everything that waits. */
  clear(): void {
    this.#waiting = [];
    this.#spares = [];
    this.bytes = 0;
  }
}
