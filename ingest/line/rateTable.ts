// How fast it may go, by time (docs/network.md, "Limits"): "weekdays from 08:00 to 18:00 2MB, 20MB".
//
// The text is a list of entries between commas: a window of docs/schedules.md and a rate, or a rate alone, which comes last. The first whose
// window is open counts; where none is, there is no limit. The form of before is read as well: "60Mbit/s on weekdays 8-18, else unlimited".

import type { HoldfastError } from "../../vault/errors.ts";
import { type Quoted, readWindow, type Window, wrongAt } from "../schedule/rules.ts";
import { isOpen } from "../schedule/windows.ts";
import { Zone } from "../schedule/zone.ts";

type Entry = {
  /** Bytes a second; Infinity: no limit. */
  readonly rate: number;
  /** Undefined: always. */
  readonly window: Window | undefined;
};

export const rateTableLimits = { charactersMax: 1000, rateMin: 1024 } as const;

const quotedUsual = {
  what: "table of rates",
  next: 'Write it like "weekdays from 08:00 to 18:00 2MB, 20MB"; a rate is 500KiB, 2MB, 60Mbit/s or unlimited.',
};

export class RateTable {
  readonly #entries: readonly Entry[];
  readonly #zone: Zone | undefined;

  private constructor(entries: readonly Entry[], zone: Zone | undefined) {
    this.#entries = entries;
    this.#zone = zone;
  }

  /**
   * Reads a table; empty: no limit.
   * @param timeZone of its windows; the machine's unless given
   * @throws HoldfastError usage with the column
   */
  static parse(text: string, timeZone?: string): RateTable {
    if (text.trim() === "") return new RateTable([], undefined);
    const within = { text, before: 0 };
    if (text.length > rateTableLimits.charactersMax) {
      const why = `a table has at most ${rateTableLimits.charactersMax} characters`;
      throw wrongAt(text, rateTableLimits.charactersMax + 1, why, quotedUsual);
    }
    // A bare number is bytes a second.
    const parts = /^\d{1,15}$/.test(text.trim()) ? [{ text: `${text.trim()}b`, at: 0 }] : partsOf(text);
    const entries = parts.map((part) =>
      entryOf(part.text, { ...quotedUsual, within: { ...within, before: part.at } }),
    );
    const early = entries.findIndex(({ window }, i) => window === undefined && i < entries.length - 1);
    if (early >= 0)
      throw wrongAt(text, (parts[early + 1]?.at ?? 0) + 1, "what counts always comes last", quotedUsual);
    const zoned = entries.some(({ window }) => window !== undefined);
    return new RateTable(entries, zoned ? new Zone(timeZone ?? machineZone()) : undefined);
  }

  /** The lowest rate that it ever has; Infinity: no limit. */
  get lowest(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...this.#entries.map(({ rate }) => rate));
  }

  /** Whether it has windows. */
  get changes(): boolean {
    return this.#zone !== undefined;
  }

  /** Bytes a second at a moment (milliseconds since 1970); Infinity: no limit. */
  rateAt(momentMs: number): number {
    const wallMs = this.#zone?.wallMs(momentMs) ?? 0;
    const entry = this.#entries.find(({ window }) => window === undefined || isOpen(window, wallMs));
    return entry?.rate ?? Number.POSITIVE_INFINITY;
  }
}

function machineZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

type Part = { readonly text: string; readonly at: number };

/** Entries end at the commas behind a rate: the others stand between days. */
function partsOf(text: string): Part[] {
  const parts: Part[] = [];
  let at = 0;
  for (const { index } of [...text.matchAll(/,/g), { index: text.length }]) {
    const part = text.slice(at, index);
    // Days, or nothing: it goes on behind the comma.
    if (index < text.length && !endsWithRate(part)) continue;
    const blanks = part.length - part.trimStart().length;
    parts.push({ text: part.trim(), at: at + blanks });
    at = index + 1;
  }
  return parts;
}

const rateForm = /(?<![\w:.])(?:\d+(?:\.\d+)?\s?[a-z]+(?:\/s)?|unlimited)$/i;

/** Of the form of before, a time or days may follow it. */
function endsWithRate(part: string): boolean {
  const text = part.trim();
  return /^\s*(?:else\b|\d|unlimited)/i.test(text) || rateForm.test(text);
}

function entryOf(text: string, quoted: Quoted): Entry {
  const older = olderForm.exec(text);
  if (older !== null) return olderEntry(text, older.groups ?? {}, quoted);
  const rate = rateForm.exec(text);
  const at = rate?.index ?? text.length;
  if (rate === null) {
    if (!/\s/.test(text)) throw wrongAt(text, 1, `${JSON.stringify(text)} is no rate`, quoted);
    // Where it is a window, the rate is what lacks.
    readWindow(text, quoted);
    throw wrongAt(text, at + 1, "a rate belongs here", quoted);
  }
  return { rate: rateOf(rate[0], at, quoted), window: readWindow(text.slice(0, at).trimEnd(), quoted) };
}

const olderForm =
  /^(?<otherwise>else\s+)?(?<rate>\d[\d.]*\s*[a-z]+(?:\/s)?|unlimited)(?:\s+on\s+(?<days>[a-z-]+))?(?:\s+(?<from>\d[\d:]*)\s*-\s*(?<to>\d[\d:]*))?$/i;

/** RATE, RATE on DAYS, RATE FROM-TO, RATE on DAYS FROM-TO, or else RATE. */
function olderEntry(
  text: string,
  groups: Readonly<Record<string, string | undefined>>,
  quoted: Quoted,
): Entry {
  const { otherwise = "", rate = "", days, from, to } = groups;
  const limit = rateOf(rate, otherwise.length, quoted);
  if (days === undefined && from === undefined) return { rate: limit, window: undefined };
  const at = otherwise.length + rate.length;
  if (otherwise !== "") throw wrongAt(text, at + 1, '"else" takes a rate alone', quoted);
  const within = quoted.within ?? { text, before: 0 };
  const named = (days ?? "daily").replace(/^weekend$/i, "weekends");
  const window = `${named} from ${clock(from ?? "0")} to ${clock(to ?? "24")}`;
  return { rate: limit, window: readWindow(window, { ...quoted, column: within.before + 1 }) };
}

/** "8" and "8:30" as times of the other form. */
function clock(time: string): string {
  return time.includes(":") ? time : `${time}:00`;
}

const units: Readonly<Record<string, number>> = {
  ...{ bit: 1 / 8, kbit: 1e3 / 8, mbit: 1e6 / 8, gbit: 1e9 / 8 },
  ...{ b: 1, kb: 1e3, mb: 1e6, gb: 1e9 },
  ...{ kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 },
};

function rateOf(text: string, at: number, quoted: Quoted): number {
  if (text.toLowerCase() === "unlimited") return Number.POSITIVE_INFINITY;
  const match = /^(?<number>\d{1,9}(?:\.\d{1,6})?)\s*(?<unit>[a-z]+)(?:\/s)?$/i.exec(text);
  const unit = units[match?.groups?.unit?.toLowerCase() ?? ""];
  const wrong = (why: string): HoldfastError => wrongAt("", at + 1, why, quoted);
  if (unit === undefined) throw wrong(`${JSON.stringify(text)} is no rate`);
  const rate = Number(match?.groups?.number) * unit;
  if (rate < rateTableLimits.rateMin) throw wrong("a rate is at least 1KiB a second");
  return rate;
}
