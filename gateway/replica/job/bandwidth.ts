// How fast a replica may be written to, by time of the week: "60Mbit/s on weekdays 8-18, 5MiB/s 22:30-6, else unlimited".
//
// The text is a list of windows between commas, of which the first that fits counts, and at the end "else RATE" (unlimited when it is not there).
// A window is RATE, then "on DAYS", a time from-to, or both. A rate alone counts always. Times are those of the machine's time zone.

import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";

type Window = {
  /** Bytes a second. */
  readonly rate: number;
  /** By day of the week, Sunday first. */
  readonly days: readonly boolean[];
  /** Minutes of the day; `to` below `from` goes over midnight and belongs to the day on which it began. */
  readonly from: number;
  readonly to: number;
};

const dayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const minutesOfDay = 24 * 60;
const textMax = 1000;

export class Bandwidth {
  readonly #windows: readonly Window[];

  private constructor(windows: readonly Window[]) {
    this.#windows = windows;
  }

  /**
   * Reads a table; empty: unlimited.
   * @throws HoldfastError usage that quotes what is wrong
   */
  static parse(text: string): Bandwidth {
    if (text.length > textMax) throw wrong(text.slice(0, 40), `a table has at most ${textMax} characters`);
    if (text.trim() === "") return new Bandwidth([]);
    const parts = text.split(",").map((part) => part.trim().toLowerCase());
    const windows = parts.map((part, i) => {
      const otherwise = part.startsWith("else ");
      const window = parseWindow(otherwise ? part.slice(5).trim() : part, part);
      const always = window.from === 0 && window.to === minutesOfDay && window.days.every((day) => day);
      if (otherwise && !always) throw wrong(part, '"else" takes a rate alone');
      if (always && i < parts.length - 1) throw wrong(part, "what counts always comes last");
      return window;
    });
    return new Bandwidth(windows);
  }

  /** Bytes a second at a time; Infinity: unlimited. */
  rateAt(time: Date): number {
    const day = time.getDay();
    const minute = time.getHours() * 60 + time.getMinutes();
    return this.#windows.find((window) => covers(window, day, minute))?.rate ?? Number.POSITIVE_INFINITY;
  }
}

function covers({ days, from, to }: Window, day: number, minute: number): boolean {
  if (from < to) return days[day] === true && minute >= from && minute < to;
  return (days[day] === true && minute >= from) || (days[(day + 6) % 7] === true && minute < to);
}

function parseWindow(text: string, part: string): Window {
  const match =
    /^(?<rate>.+?)(?:\s+on\s+(?<days>[a-z-]+))?(?:\s+(?<from>\d[\d:]*)\s*-\s*(?<to>\d[\d:]*))?$/.exec(text);
  if (match === null) throw wrong(part, "it is not RATE [on DAYS] [FROM-TO]");
  const { rate = "", days, from, to } = match.groups ?? {};
  const window = {
    rate: parseRate(rate, part),
    days: parseDays(days ?? "daily", part),
    from: from === undefined ? 0 : parseTime(from, part),
    to: to === undefined ? minutesOfDay : parseTime(to, part),
  };
  if (window.from === window.to || window.from === minutesOfDay)
    throw wrong(part, "the time from-to is empty");
  return window;
}

const units: Readonly<Record<string, number>> = {
  bit: 1 / 8,
  kbit: 1e3 / 8,
  mbit: 1e6 / 8,
  gbit: 1e9 / 8,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

function parseRate(text: string, part: string): number {
  if (text === "unlimited") return Number.POSITIVE_INFINITY;
  const match = /^(?<number>\d{1,9}(?:\.\d{1,6})?)\s*(?<unit>[a-z]+)\/s$/.exec(text);
  const unit = units[match?.groups?.unit ?? ""];
  if (match === null || unit === undefined) {
    throw wrong(part, `${JSON.stringify(text)} is no rate: write 60Mbit/s, 10MiB/s or unlimited`);
  }
  const rate = Number(match.groups?.number) * unit;
  if (rate < 1024) throw wrong(part, "a rate is at least 1KiB/s");
  return rate;
}

function parseDays(text: string, part: string): boolean[] {
  const named: Readonly<Record<string, readonly number[]>> = {
    daily: [0, 1, 2, 3, 4, 5, 6],
    weekdays: [1, 2, 3, 4, 5],
    weekend: [0, 6],
    weekends: [0, 6],
  };
  const known = named[text];
  if (known !== undefined) return dayNames.map((_, day) => known.includes(day));
  const [first = "", last = first, ...more] = text.split("-");
  const from = dayNames.indexOf(first);
  const to = dayNames.indexOf(last);
  if (from < 0 || to < 0 || more.length > 0) {
    throw wrong(part, `${JSON.stringify(text)} is no day: write weekdays, weekend, daily, mon or mon-thu`);
  }
  return dayNames.map((_, day) => (from <= to ? day >= from && day <= to : day >= from || day <= to));
}

/** Minutes of the day from "8", "08:30" or "24". */
function parseTime(text: string, part: string): number {
  const match = /^(?<hours>\d{1,2})(?::(?<minutes>[0-5]\d))?$/.exec(text);
  const minutes = Number(match?.groups?.hours) * 60 + Number(match?.groups?.minutes ?? 0);
  if (match === null || minutes > minutesOfDay)
    throw wrong(part, `${JSON.stringify(text)} is no time of the day`);
  return minutes;
}

function wrong(part: string, why: string): HoldfastError {
  return new HoldfastError(ErrorCode.usage, `bandwidth: ${JSON.stringify(part)}: ${why}`, {
    next: 'Write it like "60Mbit/s on weekdays 8-18, else unlimited".',
  });
}
