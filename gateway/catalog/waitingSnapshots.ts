// Snapshots that are visible and not whole: what each waits for (docs/concurrency.md, "Promises").

import { fromHex, toHex } from "../../vault/bytes.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";

/** `box`: a number, or 0 for what only an agent can send. `ordinal`: of a record that the snapshot lacks; null while that was not looked for. */
export type Wait = { readonly box: number; readonly ordinal: number | null };

export class WaitingSnapshots {
  readonly #table: Table<readonly Wait[]>;

  constructor(environment: IndexEnvironment) {
    this.#table = openTable(environment, "snapshots-waiting", jsonCodec<readonly Wait[]>());
  }

  /** By id (64 hex digits). */
  list(): [string, readonly Wait[]][] {
    return this.#table.entries().map(([id, waits]) => [toHex(id), waits]);
  }

  get(id: string): readonly Wait[] | undefined {
    return this.#table.get(fromHex(id, 32));
  }

  /** Numbers of the boxes that a snapshot waits for; none of them where it waits for agents; undefined for a whole one. */
  boxes(id: string): number[] | undefined {
    return this.get(id)
      ?.map(({ box }) => box)
      .filter((box) => box > 0);
  }

  /** Inside a write transaction: what a snapshot waits for; with nothing to wait for it is whole. */
  put(id: string, waits: readonly Wait[]): void {
    if (waits.length === 0) this.#table.remove(fromHex(id, 32));
    else this.#table.put(fromHex(id, 32), waits);
  }
}
