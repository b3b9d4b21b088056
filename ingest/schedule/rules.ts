// The language of schedules (docs/schedules.md, "Rules"): days and times by the clock on the wall. Nothing here knows a time zone.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

/** Days of the week (0 Sunday to 6 Saturday), or of the month (1 to 31, and whether the last one). */
export type Days =
  | { readonly of: "week"; readonly days: readonly number[] }
  | { readonly of: "month"; readonly days: readonly number[]; readonly last: boolean };

/** `minutes`: of the day, ascending, each once. */
export type Rule = { readonly days: Days; readonly minutes: readonly number[] };

/** From minute to minute of the day; over midnight where `to` is not after `from`. */
export type Window = { readonly days: Days; readonly from: number; readonly to: number };

export const ruleLimits = { textCharactersMax: 500 } as const;

const dayMinutes = 1440;
const weekdayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const allDays = [0, 1, 2, 3, 4, 5, 6];
const daySets: ReadonlyMap<string, readonly number[]> = new Map([
  ["daily", allDays],
  ["weekdays", [1, 2, 3, 4, 5]],
  ["weekends", [0, 6]],
]);

type Token = {
  readonly kind: "time" | "step" | "number" | "word" | "mark" | "end";
  readonly text: string;
  /** Of its first character, from 1 on. */
  readonly column: number;
};

/** @throws HoldfastError usage with the column */
export function parseRule(text: string): Rule {
  const reader = new Reader(text, {
    what: "schedule rule",
    next: 'Write it like "daily at 02:00" or "weekdays every 15m from 08:00 to 18:00".',
  });
  const days = reader.days();
  const minutes = reader.take("word", "at") ? reader.times() : reader.steps();
  reader.end();
  return { days, minutes: [...new Set(minutes)].sort((a, b) => a - b) };
}

/** @throws HoldfastError usage with the column */
export function parseWindow(text: string): Window {
  return readWindow(text, { what: "backup window", next: 'Write it like "daily from 22:00 to 06:00".' });
}

/** A text of this language, or a part of a longer one: what it is called in messages, and where the part begins. */
export type Quoted = {
  readonly what: string;
  readonly next: string;
  /** The longer text, and how many of its characters stand before the part. */
  readonly within?: { readonly text: string; readonly before: number };
  /** The column that is told where the part is not as somebody wrote it. */
  readonly column?: number;
};

/** @throws HoldfastError usage with the column in the whole text */
export function readWindow(text: string, quoted: Quoted): Window {
  const reader = new Reader(text, quoted);
  const days = reader.days();
  const { from, to } = reader.span();
  reader.end();
  return { days, from, to: to % dayMinutes };
}

/** A refusal that shows the text, or the longer one that it is a part of. `column`: in the text, from 1 on. */
export function wrongAt(text: string, column: number, why: string, quoted: Quoted): HoldfastError {
  const { what, next, within = { text, before: 0 } } = quoted;
  const at = quoted.column ?? column + within.before;
  const shown = JSON.stringify(within.text.slice(0, ruleLimits.textCharactersMax));
  return new HoldfastError(ErrorCode.usage, `${what} ${shown}: column ${at}: ${why}`, {
    next,
    detail: { column: at },
  });
}

class Reader {
  readonly #text: string;
  readonly #quoted: Quoted;
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(text: string, quoted: Quoted) {
    this.#text = text;
    this.#quoted = quoted;
    if (text.length > ruleLimits.textCharactersMax)
      throw this.#wrong(
        ruleLimits.textCharactersMax + 1,
        `it is longer than ${ruleLimits.textCharactersMax} characters`,
      );
    this.#tokens = this.#split();
  }

  #split(): Token[] {
    const form =
      /\s*(?:(?<time>\d{1,2}:\d{2})|(?<step>\d+[mh])|(?<number>\d+)|(?<word>[a-z]+))(?![\w:])|\s*(?<mark>[,-])/iy;
    const tokens: Token[] = [];
    while (form.lastIndex < this.#text.trimEnd().length) {
      const start = form.lastIndex;
      const match = form.exec(this.#text);
      if (match === null) {
        const column = start + 1 + (/^\s*/.exec(this.#text.slice(start))?.[0].length ?? 0);
        throw this.#wrong(column, "this is no day, time, step or word of a rule");
      }
      const [kind, word] = Object.entries(match.groups ?? {}).find(([, found]) => found !== undefined) as [
        Token["kind"],
        string,
      ];
      tokens.push({ kind, text: word.toLowerCase(), column: form.lastIndex - word.length + 1 });
    }
    tokens.push({ kind: "end", text: "", column: this.#text.length + 1 });
    return tokens;
  }

  #wrong(column: number, why: string): HoldfastError {
    return wrongAt(this.#text, column, why, this.#quoted);
  }

  get #token(): Token {
    return this.#tokens[this.#at] as Token;
  }

  /** Takes the next token if it is this. */
  take(kind: Token["kind"], text?: string): Token | undefined {
    const token = this.#token;
    if (token.kind !== kind || (text !== undefined && token.text !== text)) return undefined;
    if (kind !== "end") this.#at++;
    return token;
  }

  #need(kind: Token["kind"], text: string | undefined, why: string): Token {
    const token = this.take(kind, text);
    if (token === undefined) throw this.#wrong(this.#token.column, why);
    return token;
  }

  end(): void {
    this.#need("end", undefined, "nothing can follow here");
  }

  days(): Days {
    const { column, text } = this.#need(
      "word",
      undefined,
      "it begins with its days: daily, weekdays, weekends, mon, mon-fri, or day 1",
    );
    const set = daySets.get(text);
    if (set !== undefined) return { of: "week", days: set };
    if (text === "day") return this.#monthDays();
    const days = this.#weekdays(text, column);
    while (this.take("mark", ",") !== undefined) {
      const token = this.#need("word", undefined, "a day of the week belongs here");
      days.push(...this.#weekdays(token.text, token.column));
    }
    return { of: "week", days: [...new Set(days)] };
  }

  #weekdays(first: string, column: number): number[] {
    const from = this.#weekday(first, column);
    if (this.take("mark", "-") === undefined) return [from];
    const last = this.#need("word", undefined, "a day of the week belongs here");
    const to = this.#weekday(last.text, last.column);
    return allDays.slice(0, ((to - from + 7) % 7) + 1).map((step) => (from + step) % 7);
  }

  #weekday(text: string, column: number): number {
    const day = weekdayNames.indexOf(text);
    if (day < 0)
      throw this.#wrong(column, "days are daily, weekdays, weekends, mon to sun, or day and a number");
    return day;
  }

  #monthDays(): Days {
    const days = new Set<number>();
    let last = false;
    do {
      if (this.take("word", "last") !== undefined) {
        last = true;
        continue;
      }
      const { text, column } = this.#need(
        "number",
        undefined,
        "a day of the month (1 to 31) or last belongs here",
      );
      const day = Number(text);
      if (day < 1 || day > 31) throw this.#wrong(column, "a day of the month is 1 to 31, or last");
      days.add(day);
    } while (this.take("mark", ",") !== undefined);
    return { of: "month", days: [...days], last };
  }

  times(): number[] {
    const times = [this.#time()];
    while (this.take("mark", ",") !== undefined) times.push(this.#time());
    return times;
  }

  /** A minute of the day; `most`: 24:00 where that may be said. */
  #time(most = dayMinutes - 1): number {
    const { text, column } = this.#need("time", undefined, "a time like 02:00 belongs here");
    const [hours, minutes] = text.split(":").map(Number) as [number, number];
    const minute = hours * 60 + minutes;
    if (minutes > 59 || minute > most)
      throw this.#wrong(column, `a time is 00:00 to ${most === dayMinutes ? "24:00" : "23:59"}`);
    return minute;
  }

  steps(): number[] {
    this.#need("word", "every", "at or every belongs here");
    const { text, column } = this.#need("step", undefined, "a step like 15m or 2h belongs here");
    const step = Number(text.slice(0, -1)) * (text.endsWith("h") ? 60 : 1);
    if (step < 1 || step > dayMinutes) throw this.#wrong(column, "a step is 1m to 24h");
    const bounded = this.#token.kind === "word";
    const { from, to, column: end } = bounded ? this.span() : { from: 0, to: dayMinutes, column };
    if (to <= from)
      throw this.#wrong(end, "this is not later than the time before: write two rules for a night");
    const minutes: number[] = [];
    for (let minute = from; minute <= to && minute < dayMinutes; minute += step) minutes.push(minute);
    return minutes;
  }

  /** `column`: of the second time. */
  span(): { from: number; to: number; column: number } {
    this.#need("word", "from", "from and a time belong here");
    const from = this.#time();
    this.#need("word", "to", "to and a time belong here");
    const { column } = this.#token;
    return { from, to: this.#time(dayMinutes), column };
  }
}
