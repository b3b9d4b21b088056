// When a running gateway last did what it does by itself every so many hours, and what came of it (maintenance/timetable.ts).

import type { IndexEnvironment } from "../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";

export type ScheduledRun<Figures> = Figures & {
  /** When the last one ended, RFC 3339; null: never. */
  readonly at: string | null;
  /** Why it failed; null where it did not. */
  readonly failed: string | null;
};

type Row<Figures> = ScheduledRun<Figures> & {
  /** For how long the gateway was up since then. */
  readonly upMs: number;
};

export type PruneFigures = { readonly trashed: number };
export type GcFigures = {
  /** Snapshots that left the trash for good. */
  readonly snapshots: number;
  /** Bytes of packs that went, less what was copied of them. */
  readonly freedBytes: number;
  /** Vaults in which nothing may go. */
  readonly held: number;
};

const rowKey = Buffer.from("last");

/** What is known of the last run of one kind. */
export class ScheduledRuns<Figures extends object> {
  readonly #environment: IndexEnvironment;
  readonly #rows: Table<Row<Figures>>;
  readonly #never: Row<Figures>;

  /** In the catalog's environment. `none`: the figures where nothing ran yet. */
  constructor(environment: IndexEnvironment, table: string, none: Figures) {
    this.#environment = environment;
    this.#rows = openTable(environment, table, jsonCodec<Row<Figures>>());
    this.#never = { ...none, at: null, failed: null, upMs: 0 };
  }

  last(): Row<Figures> {
    return this.#rows.get(rowKey) ?? this.#never;
  }

  note(row: Row<Figures>): void {
    this.#environment.write(() => this.#rows.put(rowKey, row));
  }
}
