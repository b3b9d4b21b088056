// Items, snapshots and upload leases of one vault. They are in the vault's index environment, so that a commit is one
// transaction with the chunk index.
//
// Invariants
// - An item's head is its newest snapshot, and `sequence` that snapshot's number; both change only by `commit`.
// - `changes` grows with every snapshot that appears or goes and never goes back.

import { randomBytes } from "node:crypto";
import { wireLimits } from "../../ingest/wire/protocol.ts";
import { fromHex, toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { bytesCodec, jsonCodec, openTable, type Table } from "../index/table.ts";
import { ItemDefinitions } from "./itemDefinitions.ts";
import { Leases } from "./leases.ts";
import { Retention } from "./retention.ts";
import { itemNameKey, itemNamesOf, orderKeyOf } from "./rowKeys.ts";
import { WaitingSnapshots } from "./waitingSnapshots.ts";

export type Item = {
  /** 32 hex digits. */
  readonly id: string;
  readonly device: string;
  readonly name: string;
  /** Number of the newest snapshot, 0 for none. */
  readonly sequence: number;
  /** Id of the newest snapshot. */
  readonly head: string | null;
};

export type ItemOwner = Pick<Item, "id" | "device" | "name">;

export type Snapshot = {
  /** 64 hex digits. */
  readonly id: string;
  readonly device: string;
  readonly item: string;
  readonly group: number;
  readonly sequence: number;
  readonly keyEpoch: number;
  /** Root directory page, 64 hex digits. */
  readonly root: string;
  /** When the gateway committed it, RFC 3339. */
  readonly received: string;
  readonly incomplete: boolean;
  readonly bytes: number;
};

const cacheTokenKey = Buffer.from("cache-token");
const changesKey = Buffer.from("changes");
const orderKey = Buffer.from("snapshot-order");

export class VaultCatalog {
  readonly #environment: IndexEnvironment;
  readonly #items: Table<Item>;
  readonly #itemNames: Table<Uint8Array>;
  /** By u64 of the order of commits, big-endian. */
  readonly #snapshots: Table<Snapshot>;
  readonly #snapshotIds: Table<Uint8Array>;
  readonly #state: Table<string | number>;
  readonly leases: Leases;
  /** Those that are visible and not whole. */
  readonly waiting: WaitingSnapshots;
  /** How long snapshots stay, and which are in the trash. */
  readonly retention: Retention;
  /** What devices are to back up, and when. */
  readonly definitions: ItemDefinitions;

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#items = openTable(environment, "items", jsonCodec<Item>());
    this.#itemNames = openTable(environment, "item-names", bytesCodec);
    this.#snapshots = openTable(environment, "snapshots", jsonCodec<Snapshot>());
    this.#snapshotIds = openTable(environment, "snapshot-ids", bytesCodec);
    this.#state = openTable(environment, "vault-state", jsonCodec<string | number>());
    this.leases = new Leases(environment, this.#items);
    this.waiting = new WaitingSnapshots(environment);
    this.retention = new Retention(environment);
    this.definitions = new ItemDefinitions(environment);
  }

  /** Changes when anything was removed or quarantined; agents then forget what they believe to be here. */
  cacheToken(): string {
    const token = this.#state.get(cacheTokenKey);
    if (typeof token === "string") return token;
    return this.#environment.write(() => this.renewCacheToken());
  }

  /** Inside a write transaction: makes agents forget their lists of known chunks. */
  renewCacheToken(): string {
    const token = toHex(randomBytes(16));
    this.#state.put(cacheTokenKey, token);
    return token;
  }

  /** Number of times that snapshots appeared or went. */
  changes(): number {
    return Number(this.#state.get(changesKey) ?? 0);
  }

  item(id: string): Item | undefined {
    return this.#items.get(fromHex(id, 16));
  }

  /** The device's item of this name; created when it is new. @throws HoldfastError limit-exceeded: the device has too many */
  ensureItem(device: string, name: string): Item {
    const key = itemNameKey(device, name);
    const known = this.#itemNames.get(key);
    if (known !== undefined) return this.#items.get(known) as Item;
    const most = wireLimits.itemsPerDevice;
    if (this.#itemNames.entries({ ...itemNamesOf(device), limit: most }).length === most)
      throw new HoldfastError(ErrorCode.limitExceeded, `this device has ${most} items`);
    return this.#environment.write(() => {
      const id = randomBytes(16);
      const item: Item = { id: toHex(id), device, name, sequence: 0, head: null };
      this.#items.put(id, item);
      this.#itemNames.put(key, id);
      return item;
    });
  }

  items(): Item[] {
    return this.#items.entries().map(([, item]) => item);
  }

  /** All snapshots that are not in the trash, newest commit first. */
  snapshots(): Snapshot[] {
    return this.allSnapshots().filter(({ id }) => !this.retention.isInTrash(id));
  }

  /** All snapshots, also those in the trash, newest commit first. */
  allSnapshots(): Snapshot[] {
    return this.#snapshots.entries({ reverse: true }).map(([, snapshot]) => snapshot);
  }

  /** The first snapshots whose number in the order of commits is above `order`, `limit` at most, oldest first. */
  committedAfter(order: number, limit: number): { readonly order: number; readonly snapshot: Snapshot }[] {
    const start = Buffer.alloc(8);
    start.writeBigUInt64BE(BigInt(order + 1));
    return this.#snapshots.entries({ start, limit }).map(([key, snapshot]) => ({
      order: Number(Buffer.from(key).readBigUInt64BE(0)),
      snapshot,
    }));
  }

  /** How many snapshots there are, those in the trash too. */
  readonly snapshotRows = (): number => this.#snapshots.count();

  /** The number of the newest commit in the order of commits; 0 for none. */
  newestOrder(): number {
    return Number(this.#state.get(orderKey) ?? 0);
  }

  /** Also one in the trash. `id`: 64 hex digits. */
  snapshot(id: string): Snapshot | undefined {
    const order = this.#snapshotIds.get(fromHex(id, 32));
    return order === undefined ? undefined : this.#snapshots.get(order);
  }

  /**
   * Inside a write transaction: fills the empty catalog of a vault that comes back from a replica. `snapshots` in the order of their
   * commits. `changes`: what the number of changes was; it goes on behind that. Agents ask anew what is here.
   */
  restore(items: readonly Item[], snapshots: readonly Snapshot[], changes: number): void {
    for (const item of items) {
      const id = fromHex(item.id, 16);
      this.#items.put(id, item);
      this.#itemNames.put(itemNameKey(item.device, item.name), id);
    }
    snapshots.forEach((snapshot, index) => {
      const order = orderKeyOf(index + 1);
      this.#snapshots.put(order, snapshot);
      this.#snapshotIds.put(fromHex(snapshot.id, 32), order);
    });
    this.#state.put(orderKey, snapshots.length);
    this.#state.put(changesKey, changes + 1);
    this.renewCacheToken();
  }

  /** Inside a write transaction: makes a snapshot its item's head and ends the session. @throws HoldfastError session-ended; sequence-conflict for another head */
  commit(session: string, snapshot: Snapshot, previous: string | null): void {
    const key = fromHex(snapshot.item, 16);
    const item = this.#items.get(key);
    if (item === undefined || this.leases.holder(key) !== session) {
      throw new HoldfastError(ErrorCode.sessionEnded, "the upload session has ended");
    }
    if (item.head !== previous || item.sequence + 1 !== snapshot.sequence) {
      throw new HoldfastError(ErrorCode.sequenceConflict, "another snapshot of this item came first", {
        detail: { sequence: item.sequence },
      });
    }
    this.#append(key, item, snapshot);
    this.leases.endHolder(key, snapshot.id);
  }

  /**
   * Inside a write transaction: takes in a snapshot that another gateway committed, with the item where it is new here; its session, if there
   * is one, ends. False, and nothing happens, where it is here or does not follow the item's head.
   */
  enter(owner: ItemOwner, snapshot: Snapshot, previous: string | null): boolean {
    const key = fromHex(owner.id, 16);
    const item = this.#items.get(key) ?? { ...owner, sequence: 0, head: null };
    if (this.snapshot(snapshot.id) !== undefined || item.device !== snapshot.device) return false;
    if (item.head !== previous || item.sequence + 1 !== snapshot.sequence) return false;
    const name = itemNameKey(item.device, item.name);
    const named = this.#itemNames.get(name);
    if (named !== undefined && toHex(named) !== item.id) return false;
    this.#itemNames.put(name, key);
    this.#append(key, item, snapshot);
    this.leases.endHolder(key, null);
    return true;
  }

  /** Inside a write transaction: as `enter`, for an item that begins where its first snapshot does. */
  enterFork(owner: ItemOwner, snapshot: Snapshot, previous: string | null): boolean {
    const key = fromHex(owner.id, 16);
    if (this.snapshot(snapshot.id) !== undefined) return false;
    const item = this.#items.get(key) ?? { ...owner, sequence: 0, head: previous };
    if (snapshot.sequence <= item.sequence) return false;
    this.#itemNames.put(itemNameKey(item.device, item.name), key);
    this.#append(key, item, { ...snapshot, item: item.id });
    return true;
  }

  #append(key: Uint8Array, item: Item, snapshot: Snapshot): void {
    const number = Number(this.#state.get(orderKey) ?? 0) + 1;
    const order = orderKeyOf(number);
    this.#state.put(orderKey, number);
    this.#snapshots.put(order, snapshot);
    this.#snapshotIds.put(fromHex(snapshot.id, 32), order);
    this.#items.put(key, { ...item, sequence: snapshot.sequence, head: snapshot.id });
    this.countChange();
  }

  /**
   * Inside a write transaction: a snapshot is no more, with all that is said of it. Never an item's head. Its object stays for the caller to remove.
   */
  leave({ id, item }: Snapshot): void {
    const key = fromHex(id, 32);
    const order = this.#snapshotIds.get(key);
    if (order === undefined || this.item(item)?.head === id) throw new Error(`snapshot ${id} cannot leave`);
    this.#snapshots.remove(order);
    this.#snapshotIds.remove(key);
    this.waiting.put(id, []);
    this.retention.forget(id);
  }

  /** Inside a write transaction: something about snapshots changed that those who watch them are to know. */
  countChange(): void {
    this.#state.put(changesKey, this.changes() + 1);
  }
}
