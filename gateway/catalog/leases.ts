// Upload leases: which session may upload to an item (docs/concurrency.md).
//
// Invariant: an item has at most one lease. Leases end only by transaction: commit, takeover, end or the device's revocation; no clock is involved.

import { randomBytes } from "node:crypto";
import { fromHex, toHex } from "../../vault/bytes.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { bytesCodec, jsonCodec, openTable, type Table } from "../index/table.ts";
import type { EndedSession, Lease, SessionState } from "./leaseRows.ts";
import type { Item } from "./vaultCatalog.ts";

const endedKept = 16;

export class Leases {
  readonly #environment: IndexEnvironment;
  readonly #items: Pick<Table<Item>, "get" | "entries">;
  readonly #leases: Table<Lease>;
  /** Session id -> item id. */
  readonly #sessions: Table<Uint8Array>;

  constructor(environment: IndexEnvironment, items: Pick<Table<Item>, "get" | "entries">) {
    this.#environment = environment;
    this.#items = items;
    this.#leases = openTable(environment, "leases", jsonCodec<Lease>());
    this.#sessions = openTable(environment, "sessions", bytesCodec);
  }

  /**
   * Gives an item to a new session; a session that held it ends, and what it uploaded counts for this one. `ordinal`: what is uploaded from now on
   * has this one or a higher one, also after a crash.
   */
  start(item: Item, ordinal: number): { session: string; resumed: boolean } {
    return this.#environment.write(() => {
      const key = fromHex(item.id, 16);
      const session = randomBytes(16);
      const lease = this.#leases.get(key) ?? { session: null, ended: [] };
      const resumed = lease.session !== null;
      const ended = resumed ? this.#endedWith(lease, null) : lease.ended;
      this.#leases.put(key, {
        session: toHex(session),
        ended,
        since: resumed ? (lease.since ?? 0) : ordinal,
      });
      this.#sessions.put(session, key);
      return { session: toHex(session), resumed };
    });
  }

  /** Leases that are open: of which item and device, and from which ordinal on that device's records may have come with it. */
  open(): { readonly item: string; readonly device: string; readonly since: number }[] {
    return this.#leases.entries().flatMap(([key, { session, since = 0 }]) => {
      const item = session === null ? undefined : this.#items.get(key);
      return item === undefined ? [] : [{ item: item.id, device: item.device, since }];
    });
  }

  /** What a session id stands for, or undefined for one that never was or ended long ago. */
  session(id: string): SessionState | undefined {
    const key = this.#sessions.get(fromHex(id, 16));
    if (key === undefined) return undefined;
    const item = this.#items.get(key);
    const lease = this.#leases.get(key);
    if (item === undefined || lease === undefined) return undefined;
    const ended = lease.session === id ? undefined : lease.ended.find((row) => row.session === id);
    if (lease.session !== id && ended === undefined) return undefined;
    return { item, ended };
  }

  /** Ends a session without a snapshot; nothing happens if it has ended. */
  end(id: string): void {
    this.#environment.write(() => {
      const key = this.#sessions.get(fromHex(id, 16));
      if (key !== undefined && this.holder(key) === id) this.endHolder(key, null);
    });
  }

  /** Ends all sessions of devices (revoked, or not at home here any more): a commit under way is refused in its transaction. */
  endOf(devices: readonly string[]): void {
    this.#environment.write(() => {
      for (const [key, { device }] of this.#items.entries()) {
        if (devices.includes(device)) this.endHolder(key, null);
      }
    });
  }

  /** The session that holds an item (16 bytes) now. */
  holder(item: Uint8Array): string | undefined {
    return this.#leases.get(item)?.session ?? undefined;
  }

  /** Inside a write transaction: ends an item's lease, if it has one, with the snapshot that was committed, or without. */
  endHolder(item: Uint8Array, snapshot: string | null): void {
    const lease = this.#leases.get(item);
    if (lease === undefined || lease.session === null) return;
    this.#leases.put(item, { session: null, ended: this.#endedWith(lease, snapshot) });
  }

  /** Moves the current session to the ended ones and forgets the oldest of these. */
  #endedWith(lease: Lease, snapshot: string | null): EndedSession[] {
    const ended = [...lease.ended, { session: lease.session as string, snapshot }];
    for (const old of ended.splice(0, Math.max(0, ended.length - endedKept))) {
      this.#sessions.remove(fromHex(old.session, 16));
    }
    return ended;
  }
}
