// Rows about who may upload to an item: the session that holds its lease, and those that ended.

import type { Item } from "./vaultCatalog.ts";

export type EndedSession = { readonly session: string; readonly snapshot: string | null };

/** Of an item. */
export type Lease = {
  /** The session that holds the item now. */
  readonly session: string | null;
  /** Sessions that ended, newest last, so that late requests get the right answer. */
  readonly ended: readonly EndedSession[];
  /** The lowest ordinal that what was uploaded under the lease may have; none in rows of before there was garbage collection: 0. */
  readonly since?: number;
};

/** What a session id stands for. `ended` is set when the lease is over. */
export type SessionState = { readonly item: Item; readonly ended: EndedSession | undefined };
