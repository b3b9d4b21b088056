// When a scrub began, in the vault's own environment: one that was stopped goes on with the packs that were not looked at since.

import type { IndexEnvironment } from "../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";

export type ScrubState = {
  /** Milliseconds since 1970: packs that were checked since are done. */
  readonly startedMs: number;
  readonly packs: number;
  readonly snapshots: number;
  readonly problems: number;
};

const key = Buffer.from("scrub");
const snapshotsKey = Buffer.from("scrub-snapshots");

export class ScrubCursor {
  readonly #environment: IndexEnvironment;
  readonly #rows: Table<ScrubState>;

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#rows = openTable(environment, "maintenance", jsonCodec<ScrubState>());
  }

  /** The state that a scrub goes on with. */
  begin(nowMs: number, fromStart: boolean): ScrubState {
    const known = fromStart ? undefined : this.#rows.get(key);
    return known ?? { startedMs: nowMs, packs: 0, snapshots: 0, problems: 0 };
  }

  advance(state: ScrubState): ScrubState {
    this.#environment.write(() => this.#rows.put(key, state));
    return state;
  }

  /** When all snapshot objects were looked at last, milliseconds since 1970; 0: never. */
  snapshotsMs(): number {
    return this.#rows.get(snapshotsKey)?.startedMs ?? 0;
  }

  noteSnapshots(startedMs: number): void {
    const row = { startedMs, packs: 0, snapshots: 0, problems: 0 };
    this.#environment.write(() => this.#rows.put(snapshotsKey, row));
  }

  /** The scrub came to its end: the next one begins anew. */
  end(): void {
    this.#environment.write(() => void this.#rows.remove(key));
  }
}
