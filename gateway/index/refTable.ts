// References of records, as ordinals: the mark phase of garbage collection walks these rows and bitmaps instead of
// looking ids up. Only records that have references have a row.
//
// A row is a count and then, for each reference, the zigzag difference to the one before, all as varints: the chunks
// of a file are mostly admitted in order, so a reference is mostly one byte.

import type { IndexEnvironment, RawDatabase } from "./environment.ts";
import { ordinalMax } from "./row.ts";

/** Bytes of `encodeRefs` at most: 6 for each (41 bits of zigzag difference in groups of 7), and the count. */
export function refsBytesBound(count: number): number {
  return 6 * count + 6;
}

/** Writes references at `at`; returns the position after them. */
export function encodeRefs(refs: readonly number[], target: Uint8Array, at: number): number {
  let position = writeVarint(refs.length, target, at);
  let previous = 0;
  for (const ref of refs) {
    if (!(Number.isInteger(ref) && ref >= 0 && ref <= ordinalMax))
      throw new Error(`reference ${ref} out of range`);
    const difference = ref - previous;
    position = writeVarint(difference >= 0 ? difference * 2 : -difference * 2 - 1, target, position);
    previous = ref;
  }
  return position;
}

/** Reads what `encodeRefs` wrote. */
export function decodeRefs(bytes: Uint8Array): number[] {
  const refs: number[] = [];
  eachRef(bytes, (ref) => {
    refs.push(ref);
  });
  return refs;
}

/** Hands out what `encodeRefs` wrote, one after the other. */
export function eachRef(bytes: Uint8Array, take: (ref: number) => void): void {
  let at = 0;
  const next = (): number => {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error("chunk index: a row of references ends early");
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
  };
  let previous = 0;
  for (let left = next(); left > 0; left--) {
    const zigzag = next();
    previous += zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
    take(previous);
  }
}

function writeVarint(value: number, target: Uint8Array, at: number): number {
  let rest = value;
  let position = at;
  while (rest >= 0x80) {
    target[position++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  target[position++] = rest;
  return position;
}

export class RefTable {
  readonly #environment: IndexEnvironment;
  readonly #database: RawDatabase;
  readonly #key = Buffer.alloc(5);

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#database = environment.openRaw("index-refs");
  }

  /** References of a record in their order; empty for a record without. */
  get(ordinal: number): number[] {
    this.#key.writeUIntBE(ordinal, 0, 5);
    const bytes = this.#database.getBinaryFast(this.#key);
    return bytes === undefined ? [] : decodeRefs(bytes.subarray(0, this.#database.lastSize));
  }

  /** Visits the records with references from `first` on, below `end`, the highest ordinal first, with what `encodeRefs` wrote. */
  visitDown(first: number, end: number, visit: (ordinal: number, encoded: Uint8Array) => void): void {
    const keys = [...this.#database.getKeys({ start: keyOf(first), end: keyOf(end) })];
    for (const key of keys.reverse()) {
      const bytes = this.#database.getBinaryFast(key);
      if (bytes === undefined) continue;
      visit(Buffer.from(key).readUIntBE(0, 5), bytes.subarray(0, this.#database.lastSize));
    }
  }

  /** The highest ordinal that has references, or undefined. */
  highest(): number | undefined {
    for (const key of this.#database.getKeys({ reverse: true, limit: 1 })) {
      return Buffer.from(key).readUIntBE(0, 5);
    }
    return undefined;
  }

  /** Stores encoded references (`encodeRefs`). Inside a write transaction only. */
  putEncoded(ordinal: number, encoded: Uint8Array): void {
    this.#environment.assertWriting("RefTable.putEncoded");
    this.#key.writeUIntBE(ordinal, 0, 5);
    this.#database.putSync(this.#key, encoded);
  }

  /** Stores references; a record without any has no row. Inside a write transaction only. */
  put(ordinal: number, refs: readonly number[]): void {
    if (refs.length === 0) {
      this.remove(ordinal);
      return;
    }
    const encoded = Buffer.alloc(refsBytesBound(refs.length));
    this.putEncoded(ordinal, encoded.subarray(0, encodeRefs(refs, encoded, 0)));
  }

  /** Forgets a record's references. Inside a write transaction only. */
  remove(ordinal: number): void {
    this.#environment.assertWriting("RefTable.remove");
    this.#key.writeUIntBE(ordinal, 0, 5);
    this.#database.removeSync(this.#key);
  }

  /** Forgets everything. Inside a write transaction only. */
  clear(): void {
    this.#environment.assertWriting("RefTable.clear");
    this.#database.clearSync();
  }
}

function keyOf(ordinal: number): Buffer {
  const key = Buffer.alloc(5);
  key.writeUIntBE(ordinal, 0, 5);
  return key;
}
