import fc from "fast-check";
import { expect, test } from "vitest";
import { RateTable } from "../../../ingest/line/rateTable.ts";
import { isHoldfastError } from "../../../vault/errors.ts";

/** 2026-11-22 is a Sunday. Local time, as the table's. */
function at(day: string, hours: number, minutes = 0): number {
  const days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
  return new Date(2026, 10, 22 + days.indexOf(day), hours, minutes).getTime();
}

const unlimited = Number.POSITIVE_INFINITY;
const MiB = 2 ** 20;

test("rates", () => {
  const rate = (text: string): number => RateTable.parse(text).rateAt(at("mon", 12));
  expect(rate("")).toBe(unlimited);
  expect(rate("unlimited")).toBe(unlimited);
  expect(rate("60Mbit/s")).toBe(7_500_000);
  expect(rate("10MiB/s")).toBe(10 * MiB);
  expect(rate("1.5 MB/s")).toBe(1_500_000);
  expect(rate("1Gbit/s")).toBe(125_000_000);
  expect(rate("64KiB/s")).toBe(65_536);
});

test("windows by day and time; the first that fits counts", () => {
  const office = RateTable.parse("60Mbit/s on weekdays 8-18, else unlimited");
  expect(office.rateAt(at("mon", 8))).toBe(7_500_000);
  expect(office.rateAt(at("fri", 17, 59))).toBe(7_500_000);
  expect(office.rateAt(at("fri", 18))).toBe(unlimited);
  expect(office.rateAt(at("wed", 7, 59))).toBe(unlimited);
  expect(office.rateAt(at("sat", 12))).toBe(unlimited);

  const several = RateTable.parse("1MiB/s on mon-thu 9:30-17, 2MiB/s on weekend, 3MiB/s 22-24, else 4MiB/s");
  expect(several.rateAt(at("thu", 9, 30))).toBe(MiB);
  expect(several.rateAt(at("thu", 9, 29))).toBe(4 * MiB);
  expect(several.rateAt(at("sat", 23))).toBe(2 * MiB);
  expect(several.rateAt(at("fri", 23, 59))).toBe(3 * MiB);
  expect(several.rateAt(at("fri", 10))).toBe(4 * MiB);
});

test("a window over midnight belongs to the day on which it begins", () => {
  const night = RateTable.parse("1MiB/s on fri 22:30-6");
  expect(night.rateAt(at("fri", 22, 30))).toBe(MiB);
  expect(night.rateAt(at("sat", 5, 59))).toBe(MiB);
  expect(night.rateAt(at("sat", 6))).toBe(unlimited);
  expect(night.rateAt(at("fri", 5))).toBe(unlimited);
  expect(RateTable.parse("1MiB/s on sat-mon").rateAt(at("sun", 3))).toBe(MiB);
  expect(RateTable.parse("1MiB/s on sat 23-1").rateAt(at("sun", 0, 30))).toBe(MiB);
});

test("windows as schedules have them, in a time zone", () => {
  const office = RateTable.parse("weekdays from 08:00 to 18:00 2MB, 20MB", "Europe/Vienna");
  const rate = (time: string): number => office.rateAt(Date.parse(time));
  expect(rate("2026-11-23T06:59:59Z")).toBe(20e6);
  expect(rate("2026-11-23T07:00:00Z")).toBe(2e6);
  expect(rate("2026-11-23T16:59:59Z")).toBe(2e6);
  expect(rate("2026-11-23T17:00:00Z")).toBe(20e6);
  // In summer an hour earlier.
  expect(rate("2026-07-20T06:00:00Z")).toBe(2e6);
  expect(rate("2026-11-22T12:00:00Z")).toBe(20e6);
  expect([office.lowest, office.changes]).toEqual([2e6, true]);

  const several = RateTable.parse(
    "mon, wed-thu from 22:00 to 06:00 unlimited, day 1,last from 00:00 to 24:00 1 MiB/s, 500K",
    "UTC",
  );
  const inUtc = (time: string): number => several.rateAt(Date.parse(time));
  expect(inUtc("2026-11-23T23:00:00Z")).toBe(unlimited);
  expect(inUtc("2026-11-24T05:59:00Z")).toBe(unlimited);
  expect(inUtc("2026-11-24T23:00:00Z")).toBe(500 * 1024);
  expect(inUtc("2026-11-30T12:00:00Z")).toBe(MiB);
  expect(several.lowest).toBe(500 * 1024);

  const plain = RateTable.parse("5242880");
  expect([plain.rateAt(0), plain.lowest, plain.changes]).toEqual([5 * MiB, 5 * MiB, false]);
  // Where no window is open, nothing limits.
  expect(RateTable.parse("sun from 00:00 to 01:00 1MiB", "UTC").rateAt(Date.parse("2026-11-23T12:00Z"))).toBe(
    unlimited,
  );
});

test.each([
  ["fast", 1, "is no rate"],
  ["60 parsecs/s", 1, "is no rate"],
  ["1b/s", 1, "at least"],
  ["0MiB/s", 1, "at least"],
  ["1MiB/s on someday", 1, "days are"],
  ["1MiB/s on mon-tue-wed", 1, "from and a time"],
  ["1MiB/s 8-25", 1, "24:00"],
  ["1MiB/s 8:60-9", 1, "23:59"],
  ["1MiB/s, 2MiB/s on mon", 9, "comes last"],
  ["else 1MiB/s 8-9", 12, "rate alone"],
  ["1MiB/s on mon,", 15, "is no rate"],
  ["1MiB/s on mon,,2MiB/s", 15, "it begins with its days"],
  ["weekdays from 08:00 to 18:00", 29, "a rate belongs here"],
  ["weekdays from 08:00 to 18:00 2MB, 20", 35, "is no rate"],
  ["20MB, weekdays from 08:00 to 18:00 2MB", 7, "comes last"],
  ["weekdays from 08:00 to 25:00 2MB, 20MB", 24, "24:00"],
  ["sun from 00:00 to 01:00 1MB, weekdays till 18:00 2MB", 39, "from and a time"],
  ["weekdays from 08:00 to 18:00 2XB, 20MB", 30, "is no rate"],
  ["x".repeat(2000), 1001, "at most"],
])("refuses %s", (text, column, why) => {
  let thrown: unknown;
  try {
    RateTable.parse(text, "UTC");
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ code: "usage", detail: { column } });
  expect((thrown as Error).message).toContain(why);
});

test("a zone that is none is refused where it counts", () => {
  expect(() => RateTable.parse("daily from 08:00 to 09:00 1MB", "Nowhere/Town")).toThrow("time zone");
  expect(RateTable.parse("1MB", "Nowhere/Town").lowest).toBe(1e6);
});

test("any text gives a table or a usage error", () => {
  const piece = fc.constantFrom(
    "1MiB/s",
    " on ",
    "mon",
    "-",
    "8",
    ":30",
    ",",
    "else ",
    "unlimited",
    " ",
    "weekdays",
    " from 08:00 to 18:00 ",
    "day 1",
    "2MB",
    "last",
  );
  const text = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.array(piece, { maxLength: 12 }).map((all) => all.join("")),
  );
  fc.assert(
    fc.property(text, fc.integer({ min: 0, max: 7 * 24 * 60 }), (table, minutes) => {
      try {
        expect(
          RateTable.parse(table).rateAt(new Date(2026, 10, 22, 0, minutes).getTime()),
        ).toBeGreaterThanOrEqual(1024);
      } catch (error) {
        if (!isHoldfastError(error, "usage")) throw error;
      }
    }),
  );
});
