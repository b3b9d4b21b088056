// Which records garbage collection declared dead and did not sweep yet (docs/concurrency.md, "Garbage collection"): bits by ordinal in LMDB,
// and one key that puts them in force.
//
// Invariants
// - A set is in force from the transaction on that writes its cycle's number, whole, until the one that takes it away.
// - Pieces of a cycle that is not in force are left-overs and count for nothing.

import type { IndexEnvironment, RawDatabase } from "./environment.ts";
import { OrdinalSet, pieceWords } from "./ordinalSet.ts";
import { jsonCodec, openTable, type Table } from "./table.ts";

type Cycle = { readonly cycle: number };

const inForceKey = Buffer.from("in-force");
const lastKey = Buffer.from("last");
/** Pieces that one transaction removes: 8 MiB of them. */
const piecesAtOnce = 1024;

export class DeadSets {
  readonly #environment: IndexEnvironment;
  readonly #state: Table<Cycle>;
  readonly #pieces: RawDatabase;

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#state = openTable(environment, "gc-state", jsonCodec<Cycle>());
    this.#pieces = environment.openRaw("gc-dead");
  }

  /** The set that is in force, or undefined. */
  load(): OrdinalSet | undefined {
    const cycle = this.#state.get(inForceKey)?.cycle;
    if (cycle === undefined) return undefined;
    const set = new OrdinalSet();
    for (const key of this.#pieces.getKeys({ start: keyOf(cycle, 0), end: keyOf(cycle + 1, 0) })) {
      const bytes = this.#pieces.getBinary(key);
      if (bytes?.length !== pieceWords * 4) throw new Error("a piece of the dead set is malformed");
      set.setPiece(Buffer.from(key).readUInt32BE(4), new Uint32Array(Uint8Array.from(bytes).buffer));
    }
    return set;
  }

  /** The number of a new cycle; one is made at a time. */
  begin(): number {
    return this.#environment.write(() => {
      const cycle = (this.#state.get(lastKey)?.cycle ?? 0) + 1;
      this.#state.put(lastKey, { cycle });
      return cycle;
    });
  }

  /** Inside a write transaction: stores a piece, or takes one away that has no bit any more. */
  putPiece(cycle: number, piece: number, words: Uint32Array): void {
    this.#environment.assertWriting("DeadSets.putPiece");
    const key = keyOf(cycle, piece);
    if (words.every((word) => word === 0)) this.#pieces.removeSync(key);
    else this.#pieces.putSync(key, new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
  }

  /** Inside a write transaction: what was stored of a cycle is dead from here on. */
  putInForce(cycle: number): void {
    this.#environment.assertWriting("DeadSets.putInForce");
    if (this.#state.get(inForceKey) !== undefined) throw new Error("another dead set is in force");
    this.#state.put(inForceKey, { cycle });
  }

  /** Whether a set is in force on disk. */
  get inForce(): boolean {
    return this.#state.has(inForceKey);
  }

  /** Inside a write transaction: every row of the set was swept. */
  end(): void {
    this.#environment.assertWriting("DeadSets.end");
    this.#state.remove(inForceKey);
  }

  /** Removes the pieces of cycles that are not in force. */
  async removeLeft(): Promise<void> {
    const inForce = this.#state.get(inForceKey)?.cycle;
    for (;;) {
      const left: Uint8Array[] = [];
      for (const key of this.#pieces.getKeys()) {
        if (Buffer.from(key).readUInt32BE(0) !== inForce) left.push(Uint8Array.from(key));
        if (left.length === piecesAtOnce) break;
      }
      if (left.length === 0) return;
      this.#environment.write(() => {
        for (const key of left) this.#pieces.removeSync(key);
      });
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

function keyOf(cycle: number, piece: number): Buffer {
  const key = Buffer.alloc(8);
  key.writeUInt32BE(cycle, 0);
  key.writeUInt32BE(piece, 4);
  return key;
}
