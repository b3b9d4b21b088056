// The rows of a pack that is still written to, in memory of their own.
//
// Ids and hashes come as views of what was read or received. Kept so, a few bytes of each record hold on to all that lies beside them: a gateway
// that took up its open packs had 22 MiB for rows of 0.2.
//
// Memory: 64 bytes a row, twice that after growing; 8 MiB for the largest pack.

import { asBuffer } from "../../vault/bytes.ts";
import { type RecordType, Width } from "../../vault/magic.ts";
import type { TrailerRow } from "../../vault/pack/trailer.ts";

/** id 32, hash16 16, offset u32, length u32, group u32, ordinal of the writer u16, type u8, one byte unused. */
const rowBytes = 64;
const hashAt = Width.id;
const numbersAt = hashAt + Width.recordHash;
const rowsMin = 64;

export class PackRows {
  #bytes = Buffer.allocUnsafeSlow(rowsMin * rowBytes);
  #count = 0;
  /** Devices in the order in which they came. */
  readonly #writers: Buffer[] = [];
  readonly #ordinals = new Map<string, number>();

  get length(): number {
    return this.#count;
  }

  /** Adds a row behind the others; what it refers to is copied. */
  push({ id, hash16, offset, length, group, writer, type }: TrailerRow): void {
    const start = this.#count * rowBytes;
    if (start === this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(this.#bytes.length * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    const row = this.#bytes.subarray(start, start + rowBytes);
    row.set(id);
    row.set(hash16, hashAt);
    row.writeUInt32LE(offset, numbersAt);
    row.writeUInt32LE(length, numbersAt + 4);
    row.writeUInt32LE(group, numbersAt + 8);
    row.writeUInt16LE(this.#ordinalOf(writer), numbersAt + 12);
    row.writeUInt8(type, numbersAt + 14);
    this.#count++;
  }

  /** In pack order; ids, writers and hashes are views. */
  *[Symbol.iterator](): Generator<TrailerRow> {
    for (let at = 0; at < this.#count; at++) {
      const row = this.#bytes.subarray(at * rowBytes, (at + 1) * rowBytes);
      yield {
        id: row.subarray(0, Width.id),
        hash16: row.subarray(hashAt, numbersAt),
        offset: row.readUInt32LE(numbersAt),
        length: row.readUInt32LE(numbersAt + 4),
        group: row.readUInt32LE(numbersAt + 8),
        writer: this.#writers[row.readUInt16LE(numbersAt + 12)] as Buffer,
        type: row.readUInt8(numbersAt + 14) as RecordType,
      };
    }
  }

  #ordinalOf(writer: Uint8Array): number {
    const name = asBuffer(writer).toString("latin1");
    const known = this.#ordinals.get(name);
    if (known !== undefined) return known;
    const own = Buffer.allocUnsafeSlow(writer.length);
    own.set(writer);
    const ordinal = this.#writers.push(own) - 1;
    this.#ordinals.set(name, ordinal);
    return ordinal;
  }
}
