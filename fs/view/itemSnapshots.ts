// The snapshots of items, in order of time and opened where that is possible.
//
// Invariants: an item's list is worked out once until something changed; a snapshot is opened once as long as it is listed and its keys
// stay; all that was opened with keys which are no longer there shares one VaultLock, closed before anything else happens.

import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { openSnapshot, type SnapshotBody } from "../../vault/snapshot.ts";
import { incompleteSuffix, timeFolders } from "./folderNames.ts";
import type { Lull } from "./lull.ts";
import type { OpenPool } from "./openPool.ts";
import type { DatedSnapshot } from "./pathStates.ts";
import type { CatalogSnapshot, Keyring, RecordSource, SnapshotCatalog } from "./ports.ts";
import type { FileTaker } from "./readyFiles.ts";
import { cachePrefix, type PlaintextCaches, RecordOpener } from "./recordOpener.ts";
import { SnapshotContext, type VaultLock } from "./snapshotNodes.ts";

export type ItemName = { readonly account: string; readonly device: string; readonly item: string };

export type SnapshotParts = {
  readonly source: RecordSource;
  readonly catalog: SnapshotCatalog;
  readonly keyring: Keyring;
  readonly caches: PlaintextCaches;
  /** Get small files of all snapshots before they are asked for. */
  readonly takers?: ReadonlySet<FileTaker>;
  /** Threads that open large records; without them the calling thread does. Whoever made it closes it. */
  readonly pool?: OpenPool | undefined;
  /** Told of every record that is opened. Whoever made it stops it. */
  readonly lull?: Lull;
  /** How the vault (32 hex) of an account is unlocked: a command line. */
  readonly unlockCommand?: (account: string, vault: string) => string;
};

type Opened = { readonly context: SnapshotContext; readonly body: SnapshotBody };
type List = {
  readonly item: ItemName;
  readonly snapshots: Promise<readonly DatedSnapshot[]>;
  loaded?: readonly DatedSnapshot[];
};
type Shown = {
  readonly row: CatalogSnapshot;
  readonly timeMs: number;
  readonly opened: DatedSnapshot["opened"];
};

const opensAtOnce = 16;

export class ItemSnapshots {
  readonly #parts: SnapshotParts;
  readonly #lists = new Map<string, List>();
  readonly #stamps = new Map<string, bigint>();
  /** Ids of the item's snapshots when they were listed last. */
  readonly #listed = new Map<string, ReadonlySet<string>>();
  readonly #opened = new Map<string, Opened>();
  readonly #locks = new Map<VaultKeys, VaultLock>();

  constructor(parts: SnapshotParts) {
    this.#parts = parts;
  }

  /** An item's snapshots, the oldest first. @throws HoldfastError gateway-unreachable */
  async of(item: ItemName): Promise<readonly DatedSnapshot[]> {
    const key = keyOf(item);
    const known = this.#lists.get(key);
    if (known !== undefined) return known.snapshots;
    const list: List = { item, snapshots: this.#load(item, key) };
    this.#lists.set(key, list);
    try {
      list.loaded = await list.snapshots;
      return list.loaded;
    } catch (error) {
      if (this.#lists.get(key) === list) this.#lists.delete(key);
      throw error;
    }
  }

  /**
   * The time of the item's newest snapshot in nanoseconds, and as many more as there are snapshots: so it differs whenever one came or
   * went (times of snapshots end in whole milliseconds).
   */
  stampOf(item: ItemName): bigint {
    return this.#stamps.get(keyOf(item)) ?? 0n;
  }

  /** Bytes and files of the snapshots that were looked at. */
  totals(): { readonly bytes: bigint; readonly nodes: bigint } {
    let bytes = 0n;
    let nodes = 0n;
    for (const { body } of this.#opened.values()) {
      bytes += BigInt(body.bytes);
      nodes += BigInt(body.files) + BigInt(body.dirs) + BigInt(body.others);
    }
    return { bytes, nodes };
  }

  /** Lists anew what was listed. What the catalog cannot list now is listed when it is wanted. */
  async refresh(): Promise<void> {
    const known = [...this.#lists.values()];
    this.#lists.clear();
    await Promise.allSettled(known.map(({ item }) => this.of(item)));
  }

  /**
   * Closes and forgets everything that was opened with keys which the keyring no longer has: at once, before anyone can be
   * answered again. Returns the items that have such snapshots; undefined where there was nothing to close.
   */
  closeLocked(): ItemName[] | undefined {
    let closed = false;
    for (const [keys, lock] of this.#locks) {
      const vault = toHex(keys.vaultId);
      if (this.#parts.keyring.keysOf(vault) === keys) continue;
      lock.closed = new HoldfastError(ErrorCode.vaultLocked, "the vault was locked meanwhile", {
        next: "Unlock it, then open the file or folder again.",
      });
      this.#locks.delete(keys);
      this.#dropPlaintext(vault);
      closed = true;
    }
    if (!closed) return undefined;
    for (const [id, { context }] of this.#opened) if (isClosed(context)) this.#opened.delete(id);
    const items: ItemName[] = [];
    for (const { item, loaded } of this.#lists.values()) {
      if (loaded?.some(({ opened }) => opened instanceof SnapshotContext && isClosed(opened)))
        items.push(item);
    }
    this.#lists.clear();
    return items;
  }

  /** Forgets all records of a vault. */
  #dropPlaintext(vault: string): void {
    const { data, pages } = this.#parts.caches;
    for (const cache of [data, pages]) cache.dropWhere(cachePrefix(vault));
  }

  async #load(item: ItemName, key: string): Promise<DatedSnapshot[]> {
    const rows = await this.#parts.catalog.snapshots(item.account, item.device, item.item);
    const shown: Shown[] = [];
    // In runs, so that a thousand snapshots behind a network are not a thousand round trips one after the other.
    for (let at = 0; at < rows.length; at += opensAtOnce) {
      const some = rows.slice(at, at + opensAtOnce);
      shown.push(...(await Promise.all(some.map((row) => this.#shown(row)))));
    }
    shown.sort((a, b) => a.timeMs - b.timeMs || a.row.sequence - b.row.sequence);
    const folders = timeFolders(shown.map(({ timeMs }) => timeMs));
    this.#forgetGone(key, new Set(rows.map(({ id }) => id)));
    const newest = shown.at(-1)?.timeMs ?? 0;
    this.#stamps.set(key, BigInt(newest) * 1_000_000n + BigInt(shown.length % 1_000_000));
    return shown.map(({ row: { id, incomplete }, timeMs, opened }, index) => {
      const folder = `${folders[index]}${incomplete ? incompleteSuffix : ""}`;
      return { id, timeMs, folder, incomplete, opened };
    });
  }

  /** Files of theirs that are open stay so: their nodes hold what they are read with. */
  #forgetGone(key: string, ids: ReadonlySet<string>): void {
    for (const id of this.#listed.get(key) ?? []) if (!ids.has(id)) this.#opened.delete(id);
    this.#listed.set(key, ids);
  }

  async #shown(row: CatalogSnapshot): Promise<Shown> {
    try {
      const { context, body } = await this.#open(row);
      return { row, timeMs: Date.parse(body.time), opened: context };
    } catch (error) {
      if (!isHoldfastError(error) || error.code === ErrorCode.gatewayUnreachable) throw error;
      return { row, timeMs: Date.parse(row.received), opened: error };
    }
  }

  async #open(row: CatalogSnapshot): Promise<Opened> {
    const known = this.#opened.get(row.id);
    if (known !== undefined) return known;
    const { source, caches, pool, lull, catalog, keyring } = this.#parts;
    const keys = keyring.keysOf(row.vault);
    if (keys === undefined) throw this.#locked(row);
    const object = await catalog.object(row);
    if (keyring.keysOf(row.vault) !== keys) throw this.#locked(row);
    const { id, header, body } = openSnapshot(keys, object);
    if (id.toString("hex") !== row.id || header.group !== row.group) {
      throw new HoldfastError(ErrorCode.idMismatch, `snapshot ${row.id} is not the one that was asked for`);
    }
    const opener = new RecordOpener({ source, keys, group: header.group, caches, pool, lull });
    const timeNs = BigInt(Date.parse(body.time)) * 1_000_000n;
    const snapshot = { id: row.id, root: header.root, timeNs, lock: this.#lockOf(keys) };
    const opened = { context: new SnapshotContext(opener, snapshot, this.#parts.takers), body };
    this.#opened.set(row.id, opened);
    return opened;
  }

  #locked({ account, vault }: CatalogSnapshot): HoldfastError {
    const next = this.#parts.unlockCommand?.(account, vault) ?? `holdfast vault unlock ${account}`;
    return new HoldfastError(ErrorCode.vaultLocked, `the vault of account ${account} is locked`, { next });
  }

  #lockOf(keys: VaultKeys): VaultLock {
    const lock = this.#locks.get(keys) ?? { closed: undefined };
    this.#locks.set(keys, lock);
    return lock;
  }
}

function isClosed({ lock }: SnapshotContext): boolean {
  return lock.closed !== undefined;
}

function keyOf({ account, device, item }: ItemName): string {
  return JSON.stringify([account, device, item]);
}
