// What an administrator should know without having asked: raised by whoever finds it, kept in the catalog, delivered by others.
//
// Invariants
// - Of a kind and subject at most one alert is open: raising it again brings its figures up to date and counts, and is no new one.
// - `change` grows over all alerts and never goes back: each alert that is worth telling about (raised, worse than before, over) gets the
//   next number, so who delivers keeps one number and asks what came after it. Saying the same again gives no new number.
// - Open alerts are never removed by themselves; of those that are over the newest `closedKept` stay.
// - What raises alerts must not fail because of them: it raises after its own transaction, and raises what still holds at the next start.

import { createHash } from "node:crypto";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { orderKeyOf } from "../catalog/rowKeys.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";

/** The least grave first. */
export const alertSeverities = ["info", "warning", "critical"] as const;
export type AlertSeverity = (typeof alertSeverities)[number];

/** Plain numbers with their unit last in the name, and texts; what made one say so. */
export type AlertFigures = Readonly<Record<string, number | string | null>>;

export type RaisedAlert = {
  /** What kind of thing: words with dashes, "guard-hold"; it is for programs. */
  readonly kind: string;
  readonly severity: AlertSeverity;
  /** What it is about, by names: "acme/main/laptop/files". With the kind it says which alert this is. */
  readonly subject: string;
  /** One sentence, and what to do. */
  readonly message: string;
  readonly figures: AlertFigures;
};

export type Alert = RaisedAlert & {
  /** Counted up from 1; never used again. */
  readonly id: number;
  /** RFC 3339, by the gateway's clock. */
  readonly firstSeen: string;
  readonly lastSeen: string;
  /** How often it was raised. */
  readonly times: number;
  /** By a person who knows of it; it stays open until what it says is over. */
  readonly acknowledged: { readonly at: string; readonly note: string } | null;
  /** When it was over; null while it is open. */
  readonly resolved: string | null;
  /** See the invariants. */
  readonly change: number;
};

const closedKept = 300;
const idKey = Buffer.from("id");
const changeKey = Buffer.from("change");

export class AlertLog {
  readonly #environment: IndexEnvironment;
  readonly #now: () => Date;
  readonly #rows: Table<Alert>;
  /** Ids of open alerts by kind and subject. */
  readonly #open: Table<number>;
  readonly #counters: Table<number>;
  readonly #listeners = new Set<() => void>();

  /** In the catalog's environment. */
  constructor(environment: IndexEnvironment, now: () => Date) {
    this.#environment = environment;
    this.#now = now;
    this.#rows = openTable(environment, "alerts", jsonCodec<Alert>());
    this.#open = openTable(environment, "alerts-open", jsonCodec<number>());
    this.#counters = openTable(environment, "alert-counters", jsonCodec<number>());
  }

  /** Durable when it returns. Answers the alert as it is now. @throws HoldfastError disk-full, io-error */
  raise(raised: RaisedAlert): Alert {
    const at = this.#now().toISOString();
    let told = false;
    const alert = this.#environment.write(() => {
      const key = openKey(raised.kind, raised.subject);
      const known = this.#openRow(key);
      const isWorse = known !== undefined && rank(raised.severity) > rank(known.severity);
      told = known === undefined || isWorse;
      const row: Alert = {
        ...raised,
        id: known?.id ?? this.#count(idKey),
        firstSeen: known?.firstSeen ?? at,
        lastSeen: at,
        times: (known?.times ?? 0) + 1,
        acknowledged: isWorse ? null : (known?.acknowledged ?? null),
        resolved: null,
        change: told ? this.#count(changeKey) : (known as Alert).change,
      };
      this.#rows.put(orderKeyOf(row.id), row);
      this.#open.put(key, row.id);
      return row;
    });
    if (told) this.#tell();
    return alert;
  }

  /** What it said is over. Undefined where no such alert is open. */
  resolve(kind: string, subject: string): Alert | undefined {
    const key = openKey(kind, subject);
    if (this.#openRow(key) === undefined) return undefined;
    const resolved = this.#now().toISOString();
    const over = this.#environment.write(() => {
      const alert = this.#openRow(key);
      if (alert === undefined) return undefined;
      const row = { ...alert, resolved, change: this.#count(changeKey) };
      this.#rows.put(orderKeyOf(row.id), row);
      this.#open.remove(key);
      this.#forgetOld();
      return row;
    });
    if (over !== undefined) this.#tell();
    return over;
  }

  /** Notes that a person knows. @throws HoldfastError not-found */
  acknowledge(id: number, note: string): Alert {
    const at = this.#now().toISOString();
    return this.#environment.write(() => {
      const alert = this.#rows.get(orderKeyOf(id));
      if (alert === undefined) {
        throw new HoldfastError(ErrorCode.notFound, `there is no alert ${id}`, {
          next: "`holdfast alert list --all` shows which there are.",
        });
      }
      const row = { ...alert, acknowledged: { at, note } };
      this.#rows.put(orderKeyOf(id), row);
      return row;
    });
  }

  /** The same for the one that is open, if there is one. */
  acknowledgeOpen(kind: string, subject: string, note: string): void {
    const open = this.#openRow(openKey(kind, subject));
    if (open !== undefined) this.acknowledge(open.id, note);
  }

  /** The newest first; `all`: also those that are over. */
  list(all = false): Alert[] {
    if (!all) return this.#openRows().sort((a, b) => b.id - a.id);
    return this.#rows.entries({ reverse: true }).map(([, row]) => row);
  }

  isOpen(kind: string, subject: string): boolean {
    return this.#openRow(openKey(kind, subject)) !== undefined;
  }

  /** Alerts whose `change` is above the number, the one that changed first at the front. */
  changedAfter(change: number): Alert[] {
    if (change >= this.newestChange()) return [];
    return this.list(true)
      .filter((alert) => alert.change > change)
      .sort((a, b) => a.change - b.change);
  }

  /** The highest `change` that was given; 0 for none. */
  newestChange(): number {
    return this.#counters.get(changeKey) ?? 0;
  }

  /** Calls back whenever `changedAfter` has something new; returns a stop function. */
  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #openRow(key: Uint8Array): Alert | undefined {
    const id = this.#open.get(key);
    return id === undefined ? undefined : this.#rows.get(orderKeyOf(id));
  }

  #openRows(): Alert[] {
    return this.#open.entries().flatMap(([, id]) => this.#rows.get(orderKeyOf(id)) ?? []);
  }

  #count(key: Uint8Array): number {
    const next = (this.#counters.get(key) ?? 0) + 1;
    this.#counters.put(key, next);
    return next;
  }

  #forgetOld(): void {
    const closed = this.#rows.entries().filter(([, { resolved }]) => resolved !== null);
    for (const [key] of closed.slice(0, Math.max(0, closed.length - closedKept))) this.#rows.remove(key);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

function rank(severity: AlertSeverity): number {
  return alertSeverities.indexOf(severity);
}

/** LMDB's keys are short, subjects are not always. */
function openKey(kind: string, subject: string): Buffer {
  return createHash("sha256").update(`${kind}\0${subject}`).digest();
}
