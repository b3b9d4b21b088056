// Templates: item definitions that the devices of a fleet follow (docs/schedules.md, "Fleets"). The rows of the devices themselves are brought to what is
// here by followFleets (gateway/fleets.ts).
//
// Invariant: a template's revision is one more than that of the one before it; a change names the revision that it was made from.

import type { ItemDefinition } from "../../ingest/schedule/itemDefinition.ts";
import { fromHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";
import { type DefinitionRow, requireRevision } from "./itemDefinitions.ts";

export type FleetItem = DefinitionRow & {
  /** Id, 32 hex digits. */
  readonly account: string;
  readonly fleet: string;
  readonly item: string;
};

/** Of one fleet: what all its devices have besides their own fits an answer. */
export const fleetItemsMax = 16;

export class FleetItems {
  readonly #rows: Table<FleetItem>;

  constructor(environment: IndexEnvironment) {
    this.#rows = openTable(environment, "fleet-items", jsonCodec<FleetItem>());
  }

  /** Those of an account, or of one of its fleets, or all; by fleet and name. */
  list(account?: string, fleet?: string): FleetItem[] {
    return this.#rows
      .entries()
      .map(([, row]) => row)
      .filter(
        (row) =>
          (account === undefined || row.account === account) && (fleet === undefined || row.fleet === fleet),
      );
  }

  /**
   * Inside a write transaction. `from`: the revision that the change was made from, 0 for none; no definition removes it.
   * @throws HoldfastError exists, not-found, limit-exceeded; sequence-conflict where another change came first
   */
  set(
    place: Pick<FleetItem, "account" | "fleet" | "item">,
    from: number,
    definition: ItemDefinition | undefined,
    changed: string,
  ): FleetItem | undefined {
    const key = keyOf(place);
    const known = this.#rows.get(key);
    requireRevision(known, from);
    if (definition === undefined) {
      this.#rows.remove(key);
      return undefined;
    }
    if (known === undefined && this.list(place.account, place.fleet).length >= fleetItemsMax) {
      throw new HoldfastError(ErrorCode.limitExceeded, `a fleet has at most ${fleetItemsMax} items`, {
        next: "Put more paths into one of them, or make a second fleet.",
      });
    }
    const row = { ...place, revision: from + 1, changed, definition };
    this.#rows.put(key, row);
    return row;
  }

  /** Inside a write transaction: fills what is empty. */
  restore(rows: readonly FleetItem[]): void {
    for (const row of rows) this.#rows.put(keyOf(row), row);
  }

  /** Removes all of an account. Inside a write transaction. */
  removeOf(account: string): void {
    for (const row of this.list(account)) this.#rows.remove(keyOf(row));
  }
}

/** Names have no NUL. */
function keyOf({ account, fleet, item }: Pick<FleetItem, "account" | "fleet" | "item">): Buffer {
  return Buffer.concat([fromHex(account, 16), Buffer.from(`${fleet}\0${item}`)]);
}
