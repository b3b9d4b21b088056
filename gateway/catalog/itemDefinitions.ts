// What devices are to back up and when, and what they told of runs that did not come about (docs/schedules.md). In the vault's index
// environment, beside the items.
//
// Invariant: a definition's revision is one more than that of the one before it; a change names the revision that it was made from.

import { definitionLimits, type ItemDefinition } from "../../ingest/schedule/itemDefinition.ts";
import type { EstimateRequest, ReportRequest } from "../../ingest/wire/messages.ts";
import { fromHex, toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";

export type DefinitionRow = {
  readonly revision: number;
  /** RFC 3339. */
  readonly changed: string;
  readonly definition: ItemDefinition;
  /** The template that it follows, at its revision. Absent where it is the device's own. */
  readonly from?: { readonly fleet: string; readonly revision: number };
};

/** The newest that a device told of an item. */
export type ReportRow = ReportRequest & {
  /** When the gateway heard it, RFC 3339. */
  readonly at: string;
  /** In the history; null for what is only held back. */
  readonly job: number | null;
};

/** What a device counted, and when the gateway heard it (RFC 3339). Not in replicas. */
export type EstimateRow = EstimateRequest & { readonly at: string };

export type PartDefinition = DefinitionRow & { readonly item: string };

export class ItemDefinitions {
  readonly #rows: Table<DefinitionRow>;
  readonly #reports: Table<ReportRow>;
  readonly #estimates: Table<EstimateRow>;

  constructor(environment: IndexEnvironment) {
    this.#rows = openTable(environment, "item-definitions", jsonCodec<DefinitionRow>());
    this.#reports = openTable(environment, "item-reports", jsonCodec<ReportRow>());
    this.#estimates = openTable(environment, "item-estimates", jsonCodec<EstimateRow>());
  }

  /** `item`: 32 hex digits. */
  get(item: string): DefinitionRow | undefined {
    return this.#rows.get(fromHex(item, 16));
  }

  /**
   * Inside a write transaction. `from`: the revision that the change was made from, 0 for none; undefined removes it.
   * @throws HoldfastError exists, not-found; sequence-conflict where another change came first
   */
  set(
    item: string,
    from: number,
    definition: ItemDefinition | undefined,
    changed: string,
  ): DefinitionRow | undefined {
    const key = fromHex(item, 16);
    const known = this.#rows.get(key);
    requireRevision(known, from);
    if (known?.from !== undefined && definition === undefined) {
      throw new HoldfastError(ErrorCode.usage, `the item follows its fleet, @${known.from.fleet}`, {
        next: "Edit it (`--disable`, say), which makes it the device's own, or take the device out: holdfast device fleet ACCOUNT/DEVICE --none.",
      });
    }
    if (definition === undefined) {
      this.#remove(key);
      return undefined;
    }
    const row = { revision: from + 1, changed, definition };
    this.#rows.put(key, row);
    return row;
  }

  /** Has an item follow a template from now on; none: what it followed goes. Inside a write transaction. */
  follow(
    item: string,
    template: (Pick<DefinitionRow, "definition" | "revision"> & { readonly fleet: string }) | undefined,
    changed: string,
  ): void {
    const key = fromHex(item, 16);
    if (template === undefined) {
      this.#remove(key);
      return;
    }
    const { fleet, revision, definition } = template;
    const next = (this.#rows.get(key)?.revision ?? 0) + 1;
    this.#rows.put(key, { revision: next, changed, definition, from: { fleet, revision } });
  }

  #remove(key: Uint8Array): void {
    this.#rows.remove(key);
    this.#reports.remove(key);
    this.#estimates.remove(key);
  }

  report(item: string): ReportRow | undefined {
    return this.#reports.get(fromHex(item, 16));
  }

  /** Inside a write transaction. */
  setReport(item: string, row: ReportRow): void {
    this.#reports.put(fromHex(item, 16), row);
  }

  /** Of the definition as it is now. */
  estimate(item: string): EstimateRow | undefined {
    const row = this.#estimates.get(fromHex(item, 16));
    return row?.revision === this.get(item)?.revision ? row : undefined;
  }

  /** Inside a write transaction. @throws HoldfastError not-found; sequence-conflict where the definition is another by now */
  setEstimate(item: string, row: EstimateRow): void {
    const revision = this.get(item)?.revision;
    if (revision === undefined) throw noDefinition();
    if (revision !== row.revision) {
      throw new HoldfastError(ErrorCode.sequenceConflict, `the definition is at revision ${revision} by now`);
    }
    this.#estimates.put(fromHex(item, 16), row);
  }

  rows(): PartDefinition[] {
    return this.#rows.entries().map(([key, row]) => ({ item: toHex(key), ...row }));
  }

  /** Inside a write transaction: fills what is empty. */
  restore(rows: readonly PartDefinition[]): void {
    for (const { item, ...row } of rows) this.#rows.put(fromHex(item, 16), row);
  }
}

/**
 * `from`: the revision that a change was made from, 0 for none.
 * @throws HoldfastError exists, not-found; sequence-conflict where another change came first
 */
export function requireRevision(known: Pick<DefinitionRow, "revision"> | undefined, from: number): void {
  if (known === undefined && from > 0) throw noDefinition();
  if (known !== undefined && from === 0) {
    throw new HoldfastError(ErrorCode.exists, "the item has a definition already", {
      next: "Change it with `holdfast item edit`.",
    });
  }
  if (known === undefined || known.revision === from) return;
  throw new HoldfastError(
    ErrorCode.sequenceConflict,
    `the definition was changed meanwhile: it is at revision ${known.revision}, not ${from}`,
    {
      next: "Look at it with `holdfast item list`, and run the command again.",
      detail: { revision: known.revision },
    },
  );
}

export function noDefinition(): HoldfastError {
  return new HoldfastError(ErrorCode.notFound, "the item has no definition", {
    next: "`holdfast item list` shows which have, `holdfast item add` gives it one.",
  });
}

/** A device's definitions in one answer. @throws HoldfastError limit-exceeded */
export function requireRoom(definitions: readonly ItemDefinition[]): void {
  const bytes = definitions.reduce((sum, each) => sum + Buffer.byteLength(JSON.stringify(each)), 0);
  if (bytes <= definitionLimits.deviceBytesMax) return;
  throw new HoldfastError(
    ErrorCode.limitExceeded,
    `the device's definitions would be over ${definitionLimits.deviceBytesMax} bytes`,
    {
      next: "Use fewer or shorter patterns.",
    },
  );
}
