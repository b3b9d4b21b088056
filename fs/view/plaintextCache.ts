// Opened records in memory, bounded by bytes, the least recently used one dropped first.
//
// Invariants: `#bytes` is the sum of the weights of all values, and at most `bytesMax` after every call; memory is given back
// or used again only when nobody pins the record, and in a later turn of the event loop than the one that dropped it; what was dropped
// because a vault was locked is not used again.

import { giveBack } from "../../vault/bytes.ts";
import type { SpareMemory } from "./spareMemory.ts";

/** An opened record: its plaintext and the ids it refers to, concatenated. Never changed after it was made. */
export type OpenedRecord = { readonly plaintext: Buffer; readonly refs: Buffer };

/** A record as a cache has it. Whoever keeps one beyond the turn of the event loop in which it came counts itself in `pins` meanwhile. */
export type CachedRecord = OpenedRecord & { pins: number };

/** What an entry costs besides its bytes: objects, map slots. */
const overheadBytes = 400;

export class PlaintextCache {
  readonly bytesMax: number;
  readonly #spare: SpareMemory | undefined;
  readonly #records = new Map<string, CachedRecord>();
  #bytes = 0;
  /** Dropped in this turn of the event loop. */
  #dropped: { readonly record: CachedRecord; readonly again: boolean }[] = [];

  /**
   * @param spare gets the memory of dropped records, to which nothing else may belong; else it is left to V8, which lets go of buffers
   * late, and collects its whole heap again and again for many large ones
   */
  constructor(bytesMax: number, spare?: SpareMemory) {
    this.bytesMax = bytesMax;
    this.#spare = spare;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): CachedRecord | undefined {
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
  put(key: string, record: CachedRecord): void {
    const known = this.#records.get(key);
    if (known !== undefined) this.#drop(key, known);
    if (weight(record) > this.bytesMax) return;
    this.#records.set(key, record);
    this.#bytes += weight(record);
    for (const [oldest, dropped] of this.#records) {
      if (this.#bytes <= this.bytesMax) return;
      this.#drop(oldest, dropped);
    }
  }

  /** Forgets every record whose key starts so: a vault that was locked. */
  dropWhere(prefix: string): void {
    for (const [key, record] of this.#records) if (key.startsWith(prefix)) this.#drop(key, record, false);
    this.#spare?.clear();
  }

  #drop(key: string, record: CachedRecord, again = true): void {
    this.#records.delete(key);
    this.#bytes -= weight(record);
    if (this.#spare === undefined) return;
    if (this.#dropped.length === 0) setImmediate(() => this.#giveBackDropped());
    this.#dropped.push({ record, again });
  }

  #giveBackDropped(): void {
    const dropped = this.#dropped;
    this.#dropped = [];
    // Those that are pinned are left to the garbage collector.
    for (const { record, again } of dropped) {
      if (record.pins > 0) continue;
      if (again) this.#spare?.give(record.plaintext);
      else giveBack(record.plaintext);
    }
  }
}

function weight({ plaintext, refs }: OpenedRecord): number {
  // Memory that is used again may be longer than what is in it; what lies in Node's pool shares it.
  const whole = plaintext.buffer.byteLength;
  return (whole > Buffer.poolSize ? whole : plaintext.length) + refs.length + overheadBytes;
}
