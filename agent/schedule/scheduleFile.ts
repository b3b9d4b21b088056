// schedule.json in the state directory: until when each item's due times are settled, and what the gateway is still to be told.
//
// Invariant: replaced whole and durably; what it loses costs a backup more, or one less that was to be made up for.

import { join } from "node:path";
import { type ReportRequest, reportOutcomes } from "../../ingest/wire/messages.ts";
import { isItemName } from "../../ingest/wire/names.ts";
import { wireLimits } from "../../ingest/wire/protocol.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { asArray, asInteger, asObject, asText, asTime, parseJson } from "../../vault/jsonFields.ts";
import { readIfThere, replaceFile } from "../state/durableFile.ts";

export type ItemSettled = {
  /** Of the definition that this belongs to. */
  readonly revision: number;
  /** Due times up to this one are settled, milliseconds since 1970. */
  readonly settledMs: number;
};

export class ScheduleFile {
  readonly #path: string;
  readonly #items = new Map<string, ItemSettled>();
  /** By item, the newest each. */
  readonly #untold = new Map<string, ReportRequest>();
  /** Whether what was there could not be read. */
  readonly wasDamaged: boolean = false;

  /** @throws HoldfastError io-error */
  constructor(state: string) {
    this.#path = join(state, "schedule.json");
    const text = readIfThere(this.#path);
    if (text === undefined) return;
    try {
      this.#read(text);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      this.#items.clear();
      this.#untold.clear();
      this.wasDamaged = true;
    }
  }

  #read(text: string): void {
    const json = asObject(parseJson(text, "schedule.json"), "schedule.json");
    for (const value of asArray(json.items, "items", wireLimits.itemsPerDevice)) {
      const row = asObject(value, "item");
      const revision = asInteger(row.revision, "revision", 1);
      this.#items.set(nameOf(row.name), { revision, settledMs: asInteger(row.settledMs, "settledMs", 0) });
    }
    for (const value of asArray(json.untold, "untold", wireLimits.itemsPerDevice)) {
      const row = asObject(value, "report");
      const outcome = reportOutcomes.find((each) => each === row.outcome);
      const code = Object.values(ErrorCode).find((each) => each === row.code);
      if (code === undefined || outcome === undefined)
        throw new HoldfastError(ErrorCode.corrupt, "a report of another form");
      const message = asText(row.message, "message").slice(0, wireLimits.reportCharacters);
      this.#untold.set(nameOf(row.name), { due: asTime(row.due, "due"), outcome, code, message });
    }
  }

  settled(item: string): ItemSettled | undefined {
    return this.#items.get(item);
  }

  untold(): (readonly [string, ReportRequest])[] {
    return [...this.#untold];
  }

  /** @throws HoldfastError disk-full, io-error */
  settle(item: string, settled: ItemSettled): void {
    this.#items.set(item, settled);
    this.#write();
  }

  /** @throws HoldfastError disk-full, io-error */
  toTell(item: string, report: ReportRequest): void {
    this.#untold.set(item, {
      ...report,
      message: report.message.slice(0, wireLimits.reportCharacters).toWellFormed(),
    });
    this.#write();
  }

  /** Drops what was told, if nothing newer took its place. @throws HoldfastError disk-full, io-error */
  told(item: string, report: ReportRequest): void {
    if (this.#untold.get(item) !== report) return;
    this.#untold.delete(item);
    this.#write();
  }

  /** Keeps only what belongs to these items. @throws HoldfastError disk-full, io-error */
  keepOnly(items: ReadonlySet<string>): void {
    const gone = [...this.#items.keys(), ...this.#untold.keys()].filter((name) => !items.has(name));
    if (gone.length === 0) return;
    for (const name of gone) {
      this.#items.delete(name);
      this.#untold.delete(name);
    }
    this.#write();
  }

  #write(): void {
    const json = {
      items: Array.from(this.#items, ([name, row]) => ({ name, ...row })),
      untold: Array.from(this.#untold, ([name, row]) => ({ name, ...row })),
    };
    replaceFile(this.#path, `${JSON.stringify(json, null, 1)}\n`);
  }
}

function nameOf(value: unknown): string {
  const name = asText(value, "item name");
  if (isItemName(name)) return name;
  throw new HoldfastError(ErrorCode.corrupt, "what no item may be called");
}
