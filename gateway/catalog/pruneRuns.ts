// When a gateway pruned by itself, and what came of it (maintenance/retention/pruneSchedule.ts).

import type { IndexEnvironment } from "../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";

export type PruneRun = {
  /** When the last one ended, RFC 3339; null: never. */
  readonly at: string | null;
  readonly trashed: number;
  /** Why it failed; null where it did not. */
  readonly failed: string | null;
};

type Row = PruneRun & {
  /** For how long the gateway was up since then. */
  readonly upMs: number;
};

const never: Row = { at: null, trashed: 0, failed: null, upMs: 0 };
const rowKey = Buffer.from("last");

/** What is known of the last run. */
export class PruneRuns {
  readonly #environment: IndexEnvironment;
  readonly #rows: Table<Row>;

  /** In the catalog's environment. */
  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#rows = openTable(environment, "prune-runs", jsonCodec<Row>());
  }

  last(): Row {
    return this.#rows.get(rowKey) ?? never;
  }

  note(row: Row): void {
    this.#environment.write(() => this.#rows.put(rowKey, row));
  }
}
