// Which accounts get a report by mail, when, and which was the last one (docs/operations.md, "Daily reports").
//
// Invariant: `trying` is durable before a mail is handed over, and goes with what came of it. A row that has one at a start tells of a process that
// ended in between: nobody knows whether that mail arrived, and it is not sent again.

import { fromHex, toHex } from "../../../vault/bytes.ts";
import type { IndexEnvironment } from "../../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../../index/table.ts";

export type ReportSettings = {
  readonly to: readonly string[];
  /** Schedule rules (docs/schedules.md); one report a day at most, whatever they say. */
  readonly rules: readonly string[];
  readonly timeZone: string;
  readonly textOnly: boolean;
};

/** What a mail is about: its day, and what it covers. Times are milliseconds since 1970. */
export type ReportTry = {
  readonly day: string;
  readonly dueMs: number;
  readonly fromMs: number;
  readonly untilMs: number;
};

export type ReportRow = ReportSettings & {
  /** Due times up to here are settled. */
  readonly settledMs: number;
  /** The day on the wall of the last one that went out, or may have: "2026-11-26"; null: none yet. */
  readonly day: string | null;
  /** Where the next one begins: the end of the last that surely arrived. */
  readonly coveredMs: number;
  /** Days of which nobody knows whether theirs arrived: the next one covers them as well. */
  readonly doubtful: readonly string[];
  readonly trying: ReportTry | null;
  readonly failures: number;
  /** Why the last attempt failed; null where it did not. */
  readonly failure: string | null;
  readonly nextTryMs: number;
};

export class ReportRows {
  readonly #environment: IndexEnvironment;
  /** By account. */
  readonly #rows: Table<ReportRow>;

  /** In the catalog's environment. */
  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#rows = openTable(environment, "account-reports", jsonCodec<ReportRow>());
  }

  /** `account`: 32 hex digits. */
  get(account: string): ReportRow | undefined {
    return this.#rows.get(fromHex(account, 16));
  }

  list(): { readonly account: string; readonly row: ReportRow }[] {
    return this.#rows.entries().map(([key, row]) => ({ account: toHex(key), row }));
  }

  /** Durable when it returns. */
  put(account: string, row: ReportRow): void {
    this.#environment.write(() => this.#rows.put(fromHex(account, 16), row));
  }

  remove(account: string): void {
    this.#environment.write(() => this.#rows.remove(fromHex(account, 16)));
  }
}
