// A typed table in the index environment: leases, snapshots, heads and whatever else must change in the same
// transaction as the chunk index. Keys are raw bytes and sort as bytes; values go through a codec.

import type { IndexEnvironment, RawDatabase } from "./environment.ts";

export type Codec<V> = {
  readonly encode: (value: V) => Uint8Array;
  /** The bytes are the caller's own copy. */
  readonly decode: (bytes: Uint8Array) => V;
};

/** Values as JSON text: for small rows that people may want to read. */
export function jsonCodec<V>(): Codec<V> {
  return {
    encode: (value) => Buffer.from(JSON.stringify(value)),
    decode: (bytes) =>
      JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()) as V,
  };
}

/** Values that are bytes already. */
export const bytesCodec: Codec<Uint8Array> = { encode: (value) => value, decode: (bytes) => bytes };

export type KeyRange = {
  /** First key, inclusive. */
  readonly start?: Uint8Array;
  /** End, exclusive. */
  readonly end?: Uint8Array;
  readonly limit?: number;
  /** From the end of the range to its start. */
  readonly reverse?: boolean;
};

export class Table<V> {
  readonly #environment: IndexEnvironment;
  readonly #database: RawDatabase;
  readonly #codec: Codec<V>;
  readonly #name: string;

  constructor(environment: IndexEnvironment, name: string, codec: Codec<V>) {
    this.#environment = environment;
    this.#database = environment.openRaw(name);
    this.#codec = codec;
    this.#name = name;
  }

  get(key: Uint8Array): V | undefined {
    const bytes = this.#database.getBinary(key);
    return bytes === undefined ? undefined : this.#codec.decode(bytes);
  }

  has(key: Uint8Array): boolean {
    return this.#database.getBinaryFast(key) !== undefined;
  }

  /** Inside a write transaction only. */
  put(key: Uint8Array, value: V): void {
    this.#environment.assertWriting(`${this.#name}.put`);
    this.#database.putSync(key, this.#codec.encode(value));
  }

  /** Inside a write transaction only. Returns whether the key was there. */
  remove(key: Uint8Array): boolean {
    this.#environment.assertWriting(`${this.#name}.remove`);
    return this.#database.removeSync(key);
  }

  /** How many rows there are; costs the same however many. */
  count(): number {
    return (this.#database.getStats() as { readonly entryCount: number }).entryCount;
  }

  /** All keys in their order, without the values. */
  keys(): Uint8Array[] {
    return [...this.#database.getKeys({})];
  }

  /** Rows in key order. The range is read up front, so rows may be put and removed while iterating. */
  entries(range: KeyRange = {}): [Uint8Array, V][] {
    const { start, end, limit, reverse = false } = range;
    const rows: [Uint8Array, V][] = [];
    const keys = this.#database.getKeys({ ...(start && { start }), ...(end && { end }) });
    for (const key of keys) {
      if (!reverse && rows.length === limit) break;
      const value = this.get(key);
      if (value !== undefined) rows.push([key, value]);
    }
    if (!reverse) return rows;
    rows.reverse();
    return limit === undefined ? rows : rows.slice(0, limit);
  }
}

/** Opens (creates) a typed table. Names are the caller's; "index-" is reserved for this folder. */
export function openTable<V>(environment: IndexEnvironment, name: string, codec: Codec<V>): Table<V> {
  if (name.startsWith("index-")) throw new Error(`table name ${name} is reserved`);
  return new Table(environment, name, codec);
}
