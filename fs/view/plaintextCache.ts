// Opened records in memory, bounded by bytes, the least recently used one dropped first.
// Invariant: `#bytes` is the sum of the weights of all values, and at most `bytesMax` after every call.

/** An opened record: its plaintext and the ids it refers to, concatenated. Never changed after it was made. */
export type OpenedRecord = { readonly plaintext: Buffer; readonly refs: Buffer };

/** What an entry costs besides its bytes: objects, map slots. */
const overheadBytes = 400;

export class PlaintextCache {
  readonly #bytesMax: number;
  readonly #records = new Map<string, OpenedRecord>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): OpenedRecord | undefined {
    const record = this.#records.get(key);
    if (record === undefined) return undefined;
    this.#records.delete(key);
    this.#records.set(key, record);
    return record;
  }

  has(key: string): boolean {
    return this.#records.has(key);
  }

  /** Adds a record; one that alone is over the bound is not kept. */
  put(key: string, record: OpenedRecord): void {
    const known = this.#records.get(key);
    if (known !== undefined) this.#drop(key, known);
    if (weight(record) > this.#bytesMax) return;
    this.#records.set(key, record);
    this.#bytes += weight(record);
    for (const [oldest, dropped] of this.#records) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#drop(oldest, dropped);
    }
  }

  /** Forgets every record whose key starts so: a vault that was locked. */
  dropWhere(prefix: string): void {
    for (const [key, record] of this.#records) if (key.startsWith(prefix)) this.#drop(key, record);
  }

  #drop(key: string, record: OpenedRecord): void {
    this.#records.delete(key);
    this.#bytes -= weight(record);
  }
}

function weight(record: OpenedRecord): number {
  return record.plaintext.length + record.refs.length + overheadBytes;
}
