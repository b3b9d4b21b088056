// Packs and snapshots that left this vault and that a replica's roots may list still: the next root there dooms them
// (docs/concurrency.md, "Garbage collection").
//
// Invariant: only what left here is in it. What a root lists and this catalog never knew is not, and is never doomed.

import { fromHex, toHex } from "../../vault/bytes.ts";
import type { IndexEnvironment } from "./environment.ts";
import { bytesCodec, openTable, type Table } from "./table.ts";

/** Of what is doomed, as format.md has them. */
export type GoneKind = 1 | 2;
export type GoneObject = { readonly kind: GoneKind; readonly name: Buffer };

const replicaBytes = 16;
const nothing = Buffer.of(1);

export class GoneObjects {
  readonly #environment: IndexEnvironment;
  readonly #rows: Table<Uint8Array>;

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#rows = openTable(environment, "replica-gone", bytesCodec);
  }

  /** Inside a write transaction. `replica`: 32 hex digits; `name`: 32 bytes. */
  add(replica: string, kind: GoneKind, name: Uint8Array): void {
    this.#rows.put(keyOf(replica, kind, name), nothing);
  }

  /** The first ones of a kind, `limit` at most. */
  of(replica: string, kind: GoneKind, limit: number): GoneObject[] {
    const start = keyOf(replica, kind, Buffer.alloc(0));
    const end = Buffer.concat([start, Buffer.alloc(33, 0xff)]);
    return this.#rows
      .entries({ start, end, limit })
      .map(([key]) => ({ kind, name: Buffer.from(key.subarray(replicaBytes + 1)) }));
  }

  any(replica: string): boolean {
    return this.of(replica, 1, 1).length > 0 || this.of(replica, 2, 1).length > 0;
  }

  /** Inside a write transaction: a root doomed it, or no root lists it. */
  remove(replica: string, { kind, name }: GoneObject): void {
    this.#rows.remove(keyOf(replica, kind, name));
  }

  /** Forgets all of a replica. Part of the open transaction, or one of its own. */
  clear(replica: string): void {
    const start = fromHex(replica, replicaBytes);
    this.#environment.write(() => {
      for (const [key] of this.#rows.entries({ start })) {
        if (toHex(key.subarray(0, replicaBytes)) !== replica) break;
        this.#rows.remove(key);
      }
    });
  }
}

function keyOf(replica: string, kind: GoneKind, name: Uint8Array): Buffer {
  return Buffer.concat([fromHex(replica, replicaBytes), Buffer.of(kind), name]);
}
