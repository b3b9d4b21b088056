// A slow and obvious reference: a clock that is read once a minute, and rules told as data. It shares nothing with the product but the text
// of the rules.

import fc from "fast-check";

export const minuteMs = 60_000;
export const dayMs = 1440 * minuteMs;
const names = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/** What a person sees: "2026-03-29 02:30" and the day of the week. */
export class WallClock {
  readonly #format: Intl.DateTimeFormat;

  constructor(timeZone: string) {
    this.#format = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "short" });
  }

  read(momentMs: number): string {
    return this.#format.format(momentMs);
  }
}

/** The minute after one that is shown. */
export function nextLabel(label: string): string {
  const next = new Date(Date.parse(`${label.replace(" ", "T")}:00Z`) + minuteMs);
  return next.toISOString().slice(0, 16).replace("T", " ");
}

export type ToldRule = { readonly text: string; readonly matches: (label: string) => boolean };

const dateOf = (label: string): Date => new Date(`${label.slice(0, 10)}T00:00:00Z`);
const minuteOf = (label: string): number => Number(label.slice(11, 13)) * 60 + Number(label.slice(14));
const two = (value: number): string => String(value).padStart(2, "0");
export const timeText = (minute: number): string => `${two(Math.floor(minute / 60))}:${two(minute % 60)}`;

const toldDays: fc.Arbitrary<ToldRule> = fc.oneof(
  fc.constant({ text: "daily", matches: () => true }),
  fc.constant({ text: "Weekdays", matches: (label: string) => ![0, 6].includes(dateOf(label).getUTCDay()) }),
  fc.constant({ text: "weekends", matches: (label: string) => [0, 6].includes(dateOf(label).getUTCDay()) }),
  fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 4 }).map((days) => ({
    text: days.map((day) => names[day]).join(", "),
    matches: (label: string) => days.includes(dateOf(label).getUTCDay()),
  })),
  fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 1, max: 6 })).map(([from, more]) => ({
    text: `${names[from]}-${names[(from + more) % 7]}`,
    matches: (label: string) => (dateOf(label).getUTCDay() - from + 7) % 7 <= more,
  })),
  fc
    .tuple(fc.uniqueArray(fc.integer({ min: 1, max: 31 }), { minLength: 1, maxLength: 9 }), fc.boolean())
    .map(([days, last]) => ({
      text: `day ${[...days, ...(last ? ["last"] : [])].join(",")}`,
      matches: (label: string) => {
        const date = dateOf(label);
        const isLast = new Date(date.getTime() + dayMs).getUTCMonth() !== date.getUTCMonth();
        return days.includes(date.getUTCDate()) || (last && isLast);
      },
    })),
);

/** Times that are often near a change of the clock. */
const minute = fc.oneof(fc.integer({ min: 0, max: 1439 }), fc.integer({ min: 0, max: 210 }));

const toldTimes: fc.Arbitrary<ToldRule> = fc.oneof(
  fc.uniqueArray(minute, { minLength: 1, maxLength: 4 }).map((times) => ({
    text: `at ${times.map(timeText).join(",")}`,
    matches: (label: string) => times.includes(minuteOf(label)),
  })),
  fc.constantFrom(1, 5, 7, 15, 30, 45, 60, 90, 240, 360).map((step) => ({
    text: `every ${step % 60 === 0 ? `${step / 60}h` : `${step}m`}`,
    matches: (label: string) => minuteOf(label) % step === 0,
  })),
  fc
    .tuple(
      fc.constantFrom(1, 10, 15, 60),
      fc.integer({ min: 0, max: 1000 }),
      fc.integer({ min: 1, max: 439 }),
    )
    .map(([step, from, span]) => ({
      text: `every ${step}m  from ${timeText(from)} to ${timeText(from + span)}`,
      matches: (label: string) =>
        minuteOf(label) >= from && minuteOf(label) <= from + span && (minuteOf(label) - from) % step === 0,
    })),
);

export const toldRule: fc.Arbitrary<ToldRule> = fc.tuple(toldDays, toldTimes).map(([days, times]) => ({
  text: `${days.text} ${times.text}`,
  matches: (label) => days.matches(label) && times.matches(label),
}));

/** Every due time after `fromMs` up to `toMs`: minutes at which the clock shows a time that matches, or has jumped over one, for the first time. */
export function dueTimes(
  timeZone: string,
  rules: readonly ToldRule[],
  fromMs: number,
  toMs: number,
): number[] {
  const clock = new WallClock(timeZone);
  const due: number[] = [];
  // What it showed within the day before counts as shown.
  let newest = clock.read(fromMs - dayMs);
  for (let momentMs = fromMs - dayMs; momentMs <= toMs; momentMs += minuteMs) {
    const shown = clock.read(momentMs);
    let isDue = false;
    while (newest < shown) {
      newest = nextLabel(newest);
      isDue ||= rules.some(({ matches }) => matches(newest));
    }
    if (isDue && momentMs > fromMs) due.push(momentMs);
  }
  return due;
}

/** Moments near which a zone's clock is changed, of some years. */
export function changesOf(timeZone: string, years: readonly number[]): number[] {
  const clock = new WallClock(timeZone);
  const ahead = (momentMs: number): number =>
    Date.parse(`${clock.read(momentMs).replace(" ", "T")}:00Z`) - momentMs;
  return years.flatMap((year) => {
    const changes: number[] = [];
    for (let moment = Date.UTC(year, 0, 1); moment < Date.UTC(year + 1, 0, 1); moment += dayMs) {
      if (ahead(moment) !== ahead(moment + dayMs)) changes.push(moment);
    }
    return changes;
  });
}
