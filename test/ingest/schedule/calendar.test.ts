import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Calendar, type ScheduleParts, shareOf } from "../../../ingest/schedule/calendar.ts";
import {
  changesOf,
  dayMs,
  dueTimes,
  minuteMs,
  type ToldRule,
  timeText,
  toldRule,
  WallClock,
} from "./clockOnTheWall.ts";

const utc: ScheduleParts = { rules: [], windows: [], timeZone: "UTC", jitterSeconds: 0 };

/** Due times by the product, in a span. */
function dueBy(calendar: Calendar, fromMs: number, toMs: number): number[] {
  const due: number[] = [];
  for (
    let next = calendar.nextDue(fromMs);
    next !== undefined && next <= toMs;
    next = calendar.nextDue(next)
  ) {
    due.push(next);
  }
  return due;
}

const iso = (moments: readonly number[]): string[] =>
  moments.map((moment) => new Date(moment).toISOString().slice(0, 16));

describe("due times", () => {
  // Zones with changes of an hour, of half an hour, at midnight, of a whole day, far from UTC, and without any.
  const zones: [string, number[]][] = [
    ["Europe/Vienna", [1981, 2026, 2027]],
    ["America/New_York", [2006, 2026]],
    ["America/St_Johns", [1988, 2010]],
    ["Australia/Lord_Howe", [2026]],
    ["Africa/Casablanca", [2024, 2026]],
    ["Pacific/Apia", [2011]],
    ["Asia/Beirut", [2021]],
    ["America/Santiago", [2026]],
    ["Asia/Kathmandu", [1986]],
    ["Antarctica/Troll", [2024]],
  ];
  const places = zones.flatMap(([zone, years]) => changesOf(zone, years).map((change) => ({ zone, change })));

  test("the changes of the clock that are tried are there", () => {
    expect(places.length).toBeGreaterThan(25);
  });

  test("are those of a clock that is read each minute, around every kind of change", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...places),
        fc.array(toldRule, { minLength: 1, maxLength: 2 }),
        fc.integer({ min: -1440, max: 1440 }),
        fc.integer({ min: 0, max: 59_999 }),
        ({ zone, change }, rules, minutes, restMs) => {
          const fromMs = change + minutes * minuteMs;
          const toMs = fromMs + 1.5 * dayMs;
          const calendar = new Calendar({ ...utc, timeZone: zone, rules: rules.map(({ text }) => text) });
          // Within a minute nothing is due: what comes after its middle comes after its beginning.
          expect(iso(dueBy(calendar, fromMs + restMs, toMs))).toEqual(
            iso(dueTimes(zone, rules, fromMs, toMs)),
          );
        },
      ),
      { numRuns: 40 },
    );
  });

  test("are those of a clock over months, for rules by days", () => {
    fc.assert(
      fc.property(toldRule, fc.integer({ min: 0, max: 1400 }), ({ text, matches }, day) => {
        const fromMs = Date.UTC(2024, 0, 1) + day * dayMs;
        const toMs = fromMs + 40 * dayMs;
        const labels: number[] = [];
        for (let moment = fromMs + minuteMs; moment <= toMs; moment += minuteMs) {
          if (matches(new Date(moment).toISOString().slice(0, 16).replace("T", " "))) labels.push(moment);
        }
        expect(dueBy(new Calendar({ ...utc, rules: [text] }), fromMs, toMs)).toEqual(labels);
      }),
      { numRuns: 4 },
    );
  });

  test("in spring what is skipped is due at the jump, once; in autumn what comes twice the first time", () => {
    const vienna = { ...utc, timeZone: "Europe/Vienna" };
    const daily = new Calendar({ ...vienna, rules: ["daily at 02:30"] });
    expect(iso(dueBy(daily, Date.UTC(2026, 2, 27, 12), Date.UTC(2026, 2, 30, 12)))).toEqual([
      "2026-03-28T01:30",
      "2026-03-29T01:00",
      "2026-03-30T00:30",
    ]);
    expect(iso(dueBy(daily, Date.UTC(2026, 9, 24, 12), Date.UTC(2026, 9, 26, 12)))).toEqual([
      "2026-10-25T00:30",
      "2026-10-26T01:30",
    ]);
    const quarters = new Calendar({ ...vienna, rules: ["daily every 15m"] });
    expect(iso(dueBy(quarters, Date.UTC(2026, 9, 25, 0, 40), Date.UTC(2026, 9, 25, 2, 10)))).toEqual([
      "2026-10-25T00:45",
      "2026-10-25T02:00",
    ]);
  });

  test("the newest that went by is found however long the pause was", () => {
    fc.assert(
      fc.property(
        fc.array(toldRule, { minLength: 1, maxLength: 2 }),
        fc.integer({ min: 1, max: 30 * 1440 }),
        (rules: readonly ToldRule[], minutes) => {
          const sinceMs = Date.UTC(2026, 2, 10);
          const nowMs = sinceMs + minutes * minuteMs;
          const calendar = new Calendar({
            ...utc,
            timeZone: "Europe/Vienna",
            rules: rules.map(({ text }) => text),
          });
          expect(calendar.newestDue(sinceMs, nowMs)).toBe(dueBy(calendar, sinceMs, nowMs).at(-1));
        },
      ),
      { numRuns: 20 },
    );
  });

  test("there are none without rules, and for a day that no month has soon", () => {
    expect(new Calendar(utc).nextDue(0)).toBeUndefined();
    expect(
      iso(
        dueBy(
          new Calendar({ ...utc, rules: ["day 31 at 00:00"] }),
          Date.UTC(2026, 0, 1),
          Date.UTC(2026, 4, 1),
        ),
      ),
    ).toEqual(["2026-01-31T00:00", "2026-03-31T00:00"]);
  });
});

describe("windows", () => {
  /** Minutes that a person would call open. */
  const isOpen = (
    clock: WallClock,
    spans: readonly (readonly [number, number])[],
    momentMs: number,
  ): boolean => {
    const label = clock.read(momentMs);
    const minute = Number(label.slice(11, 13)) * 60 + Number(label.slice(14));
    return spans.some(([from, to]) =>
      from < to ? minute >= from && minute < to : minute >= from || minute < to,
    );
  };

  test("open, close and are waited for as a clock that is read each minute says", () => {
    const minute = fc.integer({ min: 0, max: 47 }).map((half) => half * 30);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(minute, minute), { minLength: 1, maxLength: 2 }),
        fc.integer({ min: 0, max: 3 * 1440 }),
        (spans, minutes) => {
          const windows = spans.map(([from, to]) => `daily from ${timeText(from)} to ${timeText(to)}`);
          const calendar = new Calendar({ ...utc, timeZone: "Europe/Vienna", windows });
          const clock = new WallClock("Europe/Vienna");
          const fromMs = Date.UTC(2026, 2, 27, 23) + minutes * minuteMs;
          let opens = fromMs;
          while (!isOpen(clock, spans, opens)) opens += minuteMs;
          expect(iso([calendar.opensAt(fromMs)])).toEqual(iso([opens]));
          let closes = opens;
          while (isOpen(clock, spans, closes) && closes < opens + 3 * dayMs) closes += minuteMs;
          const said = calendar.closesAt(opens);
          if (closes < opens + 3 * dayMs) expect(iso([said as number])).toEqual(iso([closes]));
          else expect(said === undefined || said >= closes).toBe(true);
        },
      ),
      { numRuns: 50 },
    );
  });

  test("a window within a skipped hour does not open", () => {
    const calendar = new Calendar({
      ...utc,
      timeZone: "Europe/Vienna",
      windows: ["daily from 02:15 to 02:45"],
    });
    expect(iso([calendar.opensAt(Date.UTC(2026, 2, 28, 12))])).toEqual(["2026-03-30T00:15"]);
  });

  test("a window over midnight belongs to the day on which it begins; 24:00 is its end", () => {
    const calendar = new Calendar({
      ...utc,
      windows: ["fri from 22:00 to 06:00", "sun from 12:00 to 24:00"],
    });
    const saturday = Date.UTC(2026, 10, 28);
    expect(calendar.opensAt(saturday + 5 * 3_600_000)).toBe(saturday + 5 * 3_600_000);
    expect(calendar.closesAt(saturday)).toBe(saturday + 6 * 3_600_000);
    expect(calendar.opensAt(saturday + 6 * 3_600_000)).toBe(saturday + 36 * 3_600_000);
    expect(calendar.closesAt(saturday + 36 * 3_600_000)).toBe(saturday + 48 * 3_600_000);
    expect(new Calendar(utc).closesAt(saturday)).toBeUndefined();
  });
});

describe("spreading", () => {
  const noon = Date.UTC(2026, 10, 26, 12);

  test("50 devices on one minute are spread over the jitter, each always at its own place", () => {
    const calendar = new Calendar({ ...utc, rules: ["daily at 12:00"], jitterSeconds: 300 });
    const begins = Array.from({ length: 50 }, (_, device) =>
      calendar.beginOf(noon, shareOf(device.toString(16).padStart(32, "0"), "files")),
    );
    expect(begins.every((begin) => begin >= noon && begin < noon + 300_000)).toBe(true);
    const perMinute = Map.groupBy(begins, (begin) => Math.floor((begin - noon) / minuteMs));
    expect(perMinute.size).toBe(5);
    for (const of of perMinute.values()) expect(of.length).toBeLessThan(20);
    expect(shareOf("a", "files")).toBe(shareOf("a", "files"));
    expect(shareOf("a", "files")).not.toBe(shareOf("a", "mail"));
  });

  test("never by more than half of the time to the next, and into a window", () => {
    const each = new Calendar({ ...utc, rules: ["daily every 1m"], jitterSeconds: 300 });
    expect(each.beginOf(noon, 0.999)).toBeLessThan(noon + 30_000);
    const night = new Calendar({ ...utc, rules: ["daily at 12:00"], windows: ["daily from 22:00 to 02:00"] });
    expect(night.beginOf(noon, 0.5)).toBe(noon + 10 * 3_600_000);
  });
});
