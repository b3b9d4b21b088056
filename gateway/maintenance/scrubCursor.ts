// How far a scrub has come, in the vault's own environment: it survives a stop, and the next one goes on behind it.

import type { IndexEnvironment } from "../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";

export type ScrubState = {
  /** Milliseconds since 1970. */
  readonly startedMs: number;
  /** Ordinal of the first pack that is still to be looked at. */
  readonly next: number;
  readonly packs: number;
  readonly snapshots: number;
  readonly problems: number;
};

const key = Buffer.from("scrub");

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
    return known ?? { startedMs: nowMs, next: 0, packs: 0, snapshots: 0, problems: 0 };
  }

  advance(state: ScrubState): ScrubState {
    this.#environment.write(() => this.#rows.put(key, state));
    return state;
  }

  /** The scrub came to its end: the next one begins anew. */
  end(): void {
    this.#environment.write(() => void this.#rows.remove(key));
  }
}
