// The full ids of promised rows by their ordinals: rows of the index have 16 bytes of an id, and what is to be told of a record that is not
// here (which one, promised by which box) needs all of it.
//
// Invariant: an entry is there exactly while the row of that ordinal is flagged `promised`. ChunkIndex writes and removes it with the row.

import type { IndexEnvironment, RawDatabase } from "./environment.ts";
import { chunkIdBytes } from "./row.ts";

export type PromisedRow = {
  readonly ordinal: number;
  readonly group: number;
  /** 32 bytes. */
  readonly id: Buffer;
  /** The box that promised it when the row was made. */
  readonly box: number;
};

const keyBytes = 5;
/** box u32, group u32, id */
const valueBytes = 8 + chunkIdBytes;

export class PromisedRows {
  readonly #environment: IndexEnvironment;
  readonly #database: RawDatabase;
  readonly #key = Buffer.alloc(keyBytes);

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#database = environment.openRaw("index-promised");
  }

  /** Whether there are any. */
  any(): boolean {
    for (const _ of this.#database.getKeys({ limit: 1 })) return true;
    return false;
  }

  get(ordinal: number): PromisedRow | undefined {
    this.#key.writeUIntBE(ordinal, 0, keyBytes);
    const bytes = this.#database.getBinary(this.#key);
    return bytes === undefined ? undefined : decode(ordinal, Buffer.from(bytes));
  }

  /** The first rows from an ordinal on, `limit` at most, in order of ordinals. */
  from(ordinal: number, limit: number): PromisedRow[] {
    const start = Buffer.alloc(keyBytes);
    start.writeUIntBE(ordinal, 0, keyBytes);
    const rows: PromisedRow[] = [];
    for (const key of [...this.#database.getKeys({ start, limit })]) {
      const row = this.get(Buffer.from(key).readUIntBE(0, keyBytes));
      if (row !== undefined) rows.push(row);
    }
    return rows;
  }

  /** Inside a write transaction only. */
  put({ ordinal, group, id, box }: PromisedRow): void {
    this.#environment.assertWriting("PromisedRows.put");
    const bytes = Buffer.alloc(valueBytes);
    bytes.writeUInt32BE(box, 0);
    bytes.writeUInt32BE(group, 4);
    bytes.set(id, 8);
    this.#key.writeUIntBE(ordinal, 0, keyBytes);
    this.#database.putSync(this.#key, bytes);
  }

  /** Inside a write transaction only. */
  remove(ordinal: number): void {
    this.#environment.assertWriting("PromisedRows.remove");
    this.#key.writeUIntBE(ordinal, 0, keyBytes);
    this.#database.removeSync(this.#key);
  }

  /** Forgets everything. Inside a write transaction only. */
  clear(): void {
    this.#environment.assertWriting("PromisedRows.clear");
    this.#database.clearSync();
  }
}

function decode(ordinal: number, bytes: Buffer): PromisedRow {
  if (bytes.length !== valueBytes) throw new Error(`the entry of promised row ${ordinal} is malformed`);
  return { ordinal, box: bytes.readUInt32BE(0), group: bytes.readUInt32BE(4), id: bytes.subarray(8) };
}
