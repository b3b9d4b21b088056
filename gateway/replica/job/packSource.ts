// The bytes of a pack on their way to a replica, checked while they are read.
//
// Invariants
// - The range that holds the last byte is handed out only after the SHA-256 of all bytes was compared with the pack's name: a pack that is
//   damaged here is never whole there.
// - What is read again (a request that is repeated) is compared with what was hashed, block by block.
// - Memory: one range that was asked for, and one block.

import { createHash, type Hash } from "node:crypto";
import { crc32 } from "node:zlib";
import { equalBytes, toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import type { ObjectSource } from "../replicaStore.ts";

const blockBytes = 2 ** 20;

/** Fills `into` from `position` of the pack and answers how many bytes there were. Throws HoldfastErrors. */
export type ReadPack = (into: Buffer, position: number) => Promise<number>;

export class PackSource implements ObjectSource {
  readonly bytes: number;
  readonly sha256: Uint8Array;
  readonly checks = true;
  readonly #read: ReadPack;
  readonly #hash: Hash = createHash("sha256");
  /** CRC-32 of each block that was hashed, from the first on. */
  readonly #blocks: number[] = [];
  #turn: Promise<unknown> = Promise.resolve();
  #damage: HoldfastError | undefined;

  /** `name`: the SHA-256 that all bytes must have. */
  constructor(name: Uint8Array, bytes: number, read: ReadPack) {
    this.sha256 = name;
    this.bytes = bytes;
    this.#read = read;
  }

  /** Why this pack cannot be sent, once that is known. */
  get damage(): HoldfastError | undefined {
    return this.#damage;
  }

  /**
   * Exactly `length` bytes from `offset` on. Ranges may be asked for in any order, more than once and side by side.
   * @throws HoldfastError chunk-damaged, and what reading throws; both are `damage` from then on
   */
  read(offset: number, length: number): Promise<Buffer> {
    if (offset < 0 || length < 0 || offset + length > this.bytes) {
      throw new RangeError(`${length} bytes at ${offset} of a pack of ${this.bytes}`);
    }
    const run = this.#turn.then(() => this.#readRange(offset, length));
    this.#turn = run.catch(() => {});
    return run;
  }

  async #readRange(offset: number, length: number): Promise<Buffer> {
    if (this.#damage !== undefined) throw this.#damage;
    const out = Buffer.allocUnsafeSlow(length);
    const end = offset + length;
    try {
      const first = Math.min(Math.floor(offset / blockBytes), this.#blocks.length);
      for (let block = first; block * blockBytes < end; block++) {
        await this.#readBlock(block, out, offset);
      }
    } catch (error) {
      if (isHoldfastError(error)) this.#damage = error;
      throw error;
    }
    return out;
  }

  /** Reads and checks one block, and copies what `out` (the range from `offset` on) has of it. */
  async #readBlock(block: number, out: Buffer, offset: number): Promise<void> {
    const start = block * blockBytes;
    const size = Math.min(blockBytes, this.bytes - start);
    const inside = start >= offset && start + size <= offset + out.length;
    const bytes = inside ? out.subarray(start - offset, start - offset + size) : Buffer.allocUnsafeSlow(size);
    if ((await this.#read(bytes, start)) !== size) throw this.#damaged("ends early");
    const sum = crc32(bytes);
    if (block < this.#blocks.length) {
      if (this.#blocks[block] !== sum) throw this.#damaged("reads differently each time");
    } else {
      this.#hash.update(bytes);
      this.#blocks.push(sum);
      const last = start + size === this.bytes;
      if (last && !equalBytes(this.#hash.digest(), this.sha256)) throw this.#damaged("has another hash");
    }
    if (!inside) {
      const from = Math.max(start, offset);
      const to = Math.min(start + size, offset + out.length);
      if (from < to) bytes.copy(out, from - offset, from - start, to - start);
    }
  }

  #damaged(how: string): HoldfastError {
    return new HoldfastError(ErrorCode.chunkDamaged, `pack ${toHex(this.sha256)} is damaged here: it ${how}`);
  }
}
