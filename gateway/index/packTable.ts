// The packs of one vault: ordinal <-> name, and what the gateway knows of each.
//
// Invariants
// - A pack ordinal is handed out once. A pack has no name while it is open (its name is the hash of its bytes).
// - `coveredBytes` says how far the index speaks for the pack: every record that ends at or before it was admitted or
//   refused for good in a committed transaction. Recovery re-admits only frames beyond it.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { IndexEnvironment, RawDatabase } from "./environment.ts";

export type PackKind = "data" | "meta";
/** open: being written; closed: whole and local; evicted: only its trailer is local. */
export type PackState = "open" | "closed" | "evicted";

export type PackRow = {
  readonly ordinal: number;
  /** SHA-256 of the pack's bytes; undefined exactly while it is open. */
  readonly name: Uint8Array | undefined;
  readonly kind: PackKind;
  readonly state: PackState;
  /** Bytes of the file, trailer and footer included once it is closed. */
  readonly bytes: number;
  readonly records: number;
  readonly coveredBytes: number;
  /** 16 bytes. */
  readonly nonce: Uint8Array;
};

const kinds: readonly PackKind[] = ["data", "meta"];
const states: readonly PackState[] = ["open", "closed", "evicted"];
/** kind u8, state u8, named u8, 0, records u32, bytes f64, covered f64, nonce 16, name 32 */
const rowBytes = 72;
const nextName = Buffer.from("next-pack");

export class PackTable {
  readonly #environment: IndexEnvironment;
  readonly #rows: RawDatabase;
  readonly #names: RawDatabase;
  readonly #open: RawDatabase;
  readonly #meta: RawDatabase;
  /** Of `storedBytes`; undefined: to be summed up. */
  #storedBytes: number | undefined;

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#rows = environment.openRaw("index-packs");
    this.#names = environment.openRaw("index-pack-names");
    this.#open = environment.openRaw("index-packs-open");
    this.#meta = environment.openRaw("index-meta");
    environment.onAbort(() => {
      this.#storedBytes = undefined;
    });
  }

  /** Enters a new open pack and returns its ordinal. */
  create(kind: PackKind, nonce: Uint8Array): number {
    if (nonce.length !== 16) throw new Error("a pack's nonce is 16 bytes");
    return this.#environment.write(() => {
      const ordinal = this.ordinalsEnd;
      if (ordinal === 0xffffffff)
        throw new HoldfastError(ErrorCode.limitExceeded, "the vault has no more pack ordinals");
      this.#meta.putSync(nextName, ordinalKey(ordinal + 1));
      this.#put({
        ordinal,
        name: undefined,
        kind,
        state: "open",
        bytes: 0,
        records: 0,
        coveredBytes: 0,
        nonce,
      });
      return ordinal;
    });
  }

  /** Above all ordinals that were handed out. */
  get ordinalsEnd(): number {
    const stored = this.#meta.getBinary(nextName);
    return stored === undefined ? 0 : Buffer.from(stored).readUInt32BE(0);
  }

  get(ordinal: number): PackRow | undefined {
    const bytes = this.#rows.getBinary(ordinalKey(ordinal));
    return bytes === undefined ? undefined : decodeRow(ordinal, bytes);
  }

  /** Bytes of all packs that are not open, here or in replicas alone. */
  get storedBytes(): number {
    if (this.#storedBytes === undefined) {
      let sum = 0;
      for (const row of this.all()) sum += storedBytesOf(row);
      this.#storedBytes = sum;
    }
    return this.#storedBytes;
  }

  /** The ordinal of a named pack. */
  ordinalOf(name: Uint8Array): number | undefined {
    const bytes = this.#names.getBinary(name);
    return bytes === undefined ? undefined : Buffer.from(bytes).readUInt32BE(0);
  }

  /** Packs that are open, oldest first. */
  openPacks(): PackRow[] {
    return [...this.#open.getKeys()].map((key) => this.#require(Buffer.from(key).readUInt32BE(0)));
  }

  /** The first packs from an ordinal on, `limit` at most, in order of ordinals. */
  from(ordinal: number, limit: number): PackRow[] {
    const keys = [...this.#rows.getKeys({ start: ordinalKey(ordinal), limit })];
    return keys.map((key) => this.#require(Buffer.from(key).readUInt32BE(0)));
  }

  /** Visits all packs in order of ordinals. */
  *all(): Generator<PackRow> {
    for (const key of [...this.#rows.getKeys()]) {
      const row = this.get(Buffer.from(key).readUInt32BE(0));
      if (row !== undefined) yield row;
    }
  }

  /** Names a finished pack: open -> closed. `bytes` is the length of the whole file. */
  close(ordinal: number, result: { name: Uint8Array; bytes: number; records: number }): void {
    this.#environment.write(() => {
      const row = this.#require(ordinal);
      if (row.state !== "open") throw new Error(`pack ${ordinal} is ${row.state} already`);
      if (result.name.length !== 32) throw new Error("a pack's name is 32 bytes");
      if (this.ordinalOf(result.name) !== undefined) throw new Error("two packs with one name");
      this.#put({ ...row, ...result, state: "closed" });
    });
  }

  /**
   * Enters a whole pack that is elsewhere, as evicted, with nothing of it in the index yet; the ordinal of one that is known already.
   * What its header says is told by `describe`.
   */
  enter(pack: { name: Uint8Array; kind: PackKind; bytes: number }): number {
    return this.#environment.write(() => {
      const known = this.ordinalOf(pack.name);
      if (known !== undefined) return known;
      const ordinal = this.create(pack.kind, Buffer.alloc(16));
      this.#put({ ...this.#require(ordinal), ...pack, state: "evicted" });
      return ordinal;
    });
  }

  /** What header and trailer of an entered pack say. */
  describe(ordinal: number, facts: { nonce: Uint8Array; records: number }): void {
    this.#environment.write(() => this.#put({ ...this.#require(ordinal), ...facts }));
  }

  /** closed <-> evicted. */
  setState(ordinal: number, state: "closed" | "evicted"): void {
    this.#environment.write(() => {
      const row = this.#require(ordinal);
      if (row.state === "open") throw new Error(`pack ${ordinal} is still open`);
      this.#put({ ...row, state });
    });
  }

  /** Moves the covered mark forward; never back. */
  cover(ordinal: number, coveredBytes: number): void {
    this.#environment.write(() => {
      const row = this.#require(ordinal);
      if (coveredBytes > row.coveredBytes) this.#put({ ...row, coveredBytes });
    });
  }

  /** Takes the marks back, so that recovery reads every frame again: for a rebuild of the chunk index. */
  uncoverAll(): void {
    this.#environment.write(() => {
      for (const row of this.all()) this.#put({ ...row, coveredBytes: 0 });
    });
  }

  /** Forgets a pack whose file is gone. Returns whether it was known. */
  remove(ordinal: number): boolean {
    return this.#environment.write(() => {
      const row = this.get(ordinal);
      if (row === undefined) return false;
      if (this.#storedBytes !== undefined) this.#storedBytes -= storedBytesOf(row);
      if (row.name !== undefined) this.#names.removeSync(row.name);
      this.#open.removeSync(ordinalKey(ordinal));
      return this.#rows.removeSync(ordinalKey(ordinal));
    });
  }

  #require(ordinal: number): PackRow {
    const row = this.get(ordinal);
    if (row === undefined) throw new Error(`pack ${ordinal} is not in the pack table`);
    return row;
  }

  #put(row: PackRow): void {
    if (this.#storedBytes !== undefined) {
      const before = this.get(row.ordinal);
      this.#storedBytes += storedBytesOf(row) - (before === undefined ? 0 : storedBytesOf(before));
    }
    const key = ordinalKey(row.ordinal);
    const bytes = Buffer.alloc(rowBytes);
    bytes[0] = kinds.indexOf(row.kind);
    bytes[1] = states.indexOf(row.state);
    bytes[2] = row.name === undefined ? 0 : 1;
    bytes.writeUInt32LE(row.records, 4);
    bytes.writeDoubleLE(row.bytes, 8);
    bytes.writeDoubleLE(row.coveredBytes, 16);
    bytes.set(row.nonce, 24);
    if (row.name !== undefined) {
      bytes.set(row.name, 40);
      this.#names.putSync(row.name, key);
    }
    this.#rows.putSync(key, bytes);
    if (row.state === "open") this.#open.putSync(key, Buffer.of(1));
    else this.#open.removeSync(key);
  }
}

function storedBytesOf({ state, bytes }: PackRow): number {
  return state === "open" ? 0 : bytes;
}

function ordinalKey(ordinal: number): Buffer {
  const key = Buffer.alloc(4);
  key.writeUInt32BE(ordinal, 0);
  return key;
}

function decodeRow(ordinal: number, bytes: Uint8Array): PackRow {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = kinds[view[0] as number];
  const state = states[view[1] as number];
  if (view.length !== rowBytes || kind === undefined || state === undefined) {
    throw new Error(`pack table: the row of pack ${ordinal} is malformed`);
  }
  return {
    ordinal,
    kind,
    state,
    records: view.readUInt32LE(4),
    bytes: view.readDoubleLE(8),
    coveredBytes: view.readDoubleLE(16),
    nonce: Uint8Array.from(bytes.subarray(24, 40)),
    name: view[2] === 1 ? Uint8Array.from(bytes.subarray(40, 72)) : undefined,
  };
}
