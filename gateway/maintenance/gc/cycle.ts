// One cycle of garbage collection on one vault: what is dead, and the transaction that says so (docs/concurrency.md, "Garbage collection").
//
// Invariants
// - From `open` on, everything that an answer, an admission or a commit rests on is marked, and what is below it; what is given an ordinal
//   from then on is not of this cycle.
// - The dead set holds rows that were there when the cycle began and are not marked: what is marked later leaves it, up to the transaction
//   that puts it in force, and in the same turn of the event loop it is in force in memory.

import { fromHex } from "../../../vault/bytes.ts";
import type { Needs } from "../../catalog/needs.ts";
import type { Snapshot } from "../../catalog/vaultCatalog.ts";
import type { ScanCursor } from "../../index/buckets.ts";
import { OrdinalSet, pieceOrdinals, pieceWords } from "../../index/ordinalSet.ts";
import { packedOrdinal, packedWriter } from "../../index/row.ts";
import { bucketsAtOnce, type Collection, Held, requireFree, rowsOfBucket } from "./collection.ts";
import { Marker } from "./marker.ts";
import { PackCensus } from "./packCensus.ts";

/** Pieces of the dead set that one transaction writes: 2 MiB. */
const piecesAtOnce = 256;

export class Cycle {
  readonly census: PackCensus;
  /** Rows that were counted: those that live, and those that do not. */
  readonly rows = { live: 0, dead: 0 };
  readonly #collection: Collection;
  readonly #below: number;
  readonly #marker: Marker;
  readonly #dead = new OrdinalSet();
  /** Pieces that changed since they were stored. */
  readonly #changed = new Set<number>();
  /** In the order of commits: snapshots up to here were marked. */
  #order = 0;
  #closed = false;

  private constructor(collection: Collection, below: number) {
    const { index, packs } = collection.vault.store;
    this.#collection = collection;
    this.#below = below;
    this.census = new PackCensus(packs.ordinalsEnd);
    this.#marker = new Marker({ index: index.upkeep, below, onMarked: (ordinal) => this.#lives(ordinal) });
  }

  /** References that were looked at. */
  get refs(): number {
    return this.#marker.refs;
  }

  /** Opens the barrier; `close` the cycle in any case. A dry run has none. @throws HoldfastError disk-full, io-error */
  static async open(collection: Collection): Promise<Cycle> {
    const { store, catalog } = collection.vault;
    const items = new Set(catalog.leases.open().map(({ item }) => item));
    const cycle = new Cycle(collection, store.index.ordinals.next);
    const pinned = collection.dryRun
      ? store.pins.resting(items)
      : store.pins.open(items, (ordinal) => cycle.#marker.add(ordinal));
    try {
      // What was decided before comes into the overlay, with what it rests on, and from there into LMDB.
      await store.drained();
      await store.flush(() => undefined);
      let count = 0;
      for (const set of pinned) {
        for (const ordinal of set.ordinals()) {
          cycle.#marker.add(ordinal);
          if (++count % pieceOrdinals === 0) await collection.pace.turn();
        }
      }
      return cycle;
    } catch (error) {
      cycle.close();
      throw error;
    }
  }

  /** Ends the barrier. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#collection.vault.store.pins.close();
  }

  /** Marks what snapshots (but `without`) and leases need. @throws Held where a snapshot's root is not known */
  async mark(without: readonly Snapshot[]): Promise<void> {
    const { pace, tell } = this.#collection;
    const leaving = new Set(without.map(({ id }) => id));
    this.#addSnapshots(leaving);
    await this.#addLeases();
    tell("marking", 0, this.#below);
    await this.#marker.run(async (part) => {
      tell("marking", Math.floor(part * this.#below), this.#below);
      await pace.turn();
    });
    while (this.#addCopies()) await this.#marker.settle(() => pace.turn());
  }

  /** What copies refer to that are kept of records which live; whether there was anything new. */
  #addCopies(): boolean {
    const { marked } = this.#marker;
    const before = marked.size;
    for (const { copies } of this.#keptCopies()) {
      for (const { refs } of copies) for (const ref of refs) this.#marker.add(ref);
    }
    return marked.size > before;
  }

  /** Of records that live as far as is known. */
  #keptCopies(): ReturnType<Needs["kept"]> {
    const { store, needs } = this.#collection.vault;
    return needs.kept().filter(({ group, id }) => {
      const ordinal = store.overlay.lookup(group, id)?.ordinal;
      return ordinal !== undefined && (ordinal >= this.#below || this.#marker.marked.has(ordinal));
    });
  }

  /** Roots of snapshots that were not added yet. */
  #addSnapshots(leaving: ReadonlySet<string>): void {
    const { catalog, store } = this.#collection.vault;
    for (;;) {
      const rows = catalog.committedAfter(this.#order, 1024);
      if (rows.length === 0) return;
      for (const { order, snapshot } of rows) {
        this.#order = order;
        if (leaving.has(snapshot.id)) continue;
        const root = store.overlay.lookup(snapshot.group, fromHex(snapshot.root, 32));
        if (root === undefined) throw new Held("damaged", `snapshot ${snapshot.id} has no root here`);
        this.#marker.add(root.ordinal);
      }
    }
  }

  /** What devices wrote since their leases, which are open, began. */
  async #addLeases(): Promise<void> {
    const { vault, writerOrdinal } = this.#collection;
    const since = new Map<number, number>();
    for (const lease of vault.catalog.leases.open()) {
      const writer = writerOrdinal(lease.device);
      since.set(writer, Math.min(lease.since, since.get(writer) ?? Number.POSITIVE_INFINITY));
    }
    if (since.size === 0) return;
    await this.#scan((words, at) => {
      const from = since.get(packedWriter(words, at));
      if (from !== undefined && packedOrdinal(words, at) >= from) this.#marker.add(packedOrdinal(words, at));
    });
    // The row of a reported record has the writer of one of its copies, and its ordinal may be older than that copy.
    for (const { group, id, copies } of vault.needs.kept()) {
      const row = vault.store.overlay.lookup(group, id);
      if (row !== undefined && [row, ...copies].some(({ writer }) => since.has(writer))) {
        this.#marker.add(row.ordinal);
      }
    }
  }

  async #scan(visit: (words: Uint32Array, at: number) => void, onSlice?: () => void): Promise<void> {
    const { vault, pace } = this.#collection;
    let cursor: ScanCursor | undefined;
    do {
      cursor = vault.store.index.upkeep.scanPacked(cursor, bucketsAtOnce, visit);
      onSlice?.();
      await pace.turn();
    } while (cursor !== undefined);
  }

  /** Finds which rows are dead, and how much of each pack lives. */
  async count(): Promise<void> {
    const { vault, tell } = this.#collection;
    const total = vault.store.index.count();
    let done = 0;
    await this.#scan(
      (words, at) => {
        const ordinal = packedOrdinal(words, at);
        if (ordinal >= this.#below || this.#marker.marked.has(ordinal)) {
          this.census.add(words, at);
          this.rows.live++;
          return;
        }
        this.rows.dead++;
        if (this.#dead.add(ordinal)) this.#changed.add(Math.floor(ordinal / pieceOrdinals));
      },
      () => {
        done = Math.min(total, done + bucketsAtOnce * rowsOfBucket);
        tell("counting", done, total);
      },
    );
    for (const { copies } of this.#keptCopies()) for (const { pack } of copies) this.census.hold(pack);
  }

  #lives(ordinal: number): void {
    if (this.#dead.delete(ordinal)) this.#changed.add(Math.floor(ordinal / pieceOrdinals));
  }

  /**
   * Makes the dead set count. Nothing happens where it is empty.
   * @throws Held; HoldfastError disk-full, io-error: nothing is dead then
   */
  async putInForce(): Promise<boolean> {
    const { vault, pace } = this.#collection;
    const { dead, environment } = vault.store;
    await this.#marker.settle(() => pace.turn());
    if (this.#dead.size === 0) {
      this.close();
      return false;
    }
    const cycle = dead.begin();
    while (this.#changed.size > piecesAtOnce) {
      environment.write(() => this.#storeChanged(cycle, piecesAtOnce));
      await pace.turn();
    }
    do await this.#marker.settle(() => pace.turn());
    while (!(await this.#tryInForce(cycle)));
    return true;
  }

  /** False: too much came meanwhile. */
  async #tryInForce(cycle: number): Promise<boolean> {
    const { vault } = this.#collection;
    const { store, catalog } = vault;
    const { dead, index } = store;
    try {
      await store.flush(() => {
        requireFree(vault);
        this.#addSnapshots(new Set());
        if (this.#marker.left === Number.POSITIVE_INFINITY) throw new TooMuch();
        do this.#marker.settleNow();
        while (this.#addCopies());
        // Before the id of a dead record is stored again: what was kept of it refers to what is dead.
        vault.needs.forgetRecords((ordinal) => this.#dead.has(ordinal));
        this.#storeChanged(cycle, Number.POSITIVE_INFINITY);
        dead.putInForce(cycle);
        catalog.renewCacheToken();
        index.dead = this.#dead;
        this.close();
      });
      return true;
    } catch (error) {
      // Where the disk failed nobody knows what is on it: what it says counts.
      if (!dead.inForce) index.dead = undefined;
      if (error instanceof TooMuch) return false;
      throw error;
    }
  }

  /** Inside a write transaction. */
  #storeChanged(cycle: number, most: number): void {
    const { dead } = this.#collection.vault.store;
    let stored = 0;
    for (const piece of this.#changed) {
      if (stored++ === most) return;
      dead.putPiece(cycle, piece, this.#dead.piece(piece) ?? new Uint32Array(pieceWords));
      this.#changed.delete(piece);
    }
  }
}

/** The list of what came meanwhile is full: another pass first. */
class TooMuch extends Error {}
