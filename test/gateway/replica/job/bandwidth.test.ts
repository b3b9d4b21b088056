import fc from "fast-check";
import { expect, test } from "vitest";
import { Bandwidth } from "../../../../gateway/replica/job/bandwidth.ts";
import { isHoldfastError } from "../../../../vault/errors.ts";

/** 2026-11-22 is a Sunday. Local time, as the table's. */
function at(day: string, hours: number, minutes = 0): Date {
  const days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
  return new Date(2026, 10, 22 + days.indexOf(day), hours, minutes);
}

const unlimited = Number.POSITIVE_INFINITY;
const MiB = 2 ** 20;

test("rates", () => {
  const rate = (text: string): number => Bandwidth.parse(text).rateAt(at("mon", 12));
  expect(rate("")).toBe(unlimited);
  expect(rate("unlimited")).toBe(unlimited);
  expect(rate("60Mbit/s")).toBe(7_500_000);
  expect(rate("10MiB/s")).toBe(10 * MiB);
  expect(rate("1.5 MB/s")).toBe(1_500_000);
  expect(rate("1Gbit/s")).toBe(125_000_000);
  expect(rate("64KiB/s")).toBe(65_536);
});

test("windows by day and time; the first that fits counts", () => {
  const office = Bandwidth.parse("60Mbit/s on weekdays 8-18, else unlimited");
  expect(office.rateAt(at("mon", 8))).toBe(7_500_000);
  expect(office.rateAt(at("fri", 17, 59))).toBe(7_500_000);
  expect(office.rateAt(at("fri", 18))).toBe(unlimited);
  expect(office.rateAt(at("wed", 7, 59))).toBe(unlimited);
  expect(office.rateAt(at("sat", 12))).toBe(unlimited);

  const several = Bandwidth.parse("1MiB/s on mon-thu 9:30-17, 2MiB/s on weekend, 3MiB/s 22-24, else 4MiB/s");
  expect(several.rateAt(at("thu", 9, 30))).toBe(MiB);
  expect(several.rateAt(at("thu", 9, 29))).toBe(4 * MiB);
  expect(several.rateAt(at("sat", 23))).toBe(2 * MiB);
  expect(several.rateAt(at("fri", 23, 59))).toBe(3 * MiB);
  expect(several.rateAt(at("fri", 10))).toBe(4 * MiB);
});

test("a window over midnight belongs to the day on which it begins", () => {
  const night = Bandwidth.parse("1MiB/s on fri 22:30-6");
  expect(night.rateAt(at("fri", 22, 30))).toBe(MiB);
  expect(night.rateAt(at("sat", 5, 59))).toBe(MiB);
  expect(night.rateAt(at("sat", 6))).toBe(unlimited);
  expect(night.rateAt(at("fri", 5))).toBe(unlimited);
  expect(Bandwidth.parse("1MiB/s on sat-mon").rateAt(at("sun", 3))).toBe(MiB);
  expect(Bandwidth.parse("1MiB/s on sat 23-1").rateAt(at("sun", 0, 30))).toBe(MiB);
});

test.each([
  ["fast", "is no rate"],
  ["60Mbit", "is no rate"],
  ["60 parsecs/s", "is no rate"],
  ["1b/s", "at least"],
  ["0MiB/s", "at least"],
  ["1MiB/s on someday", "is no day"],
  ["1MiB/s on mon-tue-wed", "is no day"],
  ["1MiB/s 8-25", "is no time"],
  ["1MiB/s 8:60-9", "is no time"],
  ["1MiB/s 8-8", "is empty"],
  ["1MiB/s 24-6", "is empty"],
  ["1MiB/s, 2MiB/s on mon", "comes last"],
  ["else 1MiB/s 8-9", "rate alone"],
  ["1MiB/s on mon,", "is not RATE"],
  ["1MiB/s on mon,,2MiB/s", "is not RATE"],
  ["x".repeat(2000), "at most"],
])("refuses %s", (text, why) => {
  expect(() => Bandwidth.parse(text)).toThrow(why);
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
  );
  const text = fc.oneof(
    fc.string({ maxLength: 60 }),
    fc.array(piece, { maxLength: 12 }).map((all) => all.join("")),
  );
  fc.assert(
    fc.property(text, fc.integer({ min: 0, max: 7 * 24 * 60 }), (table, minutes) => {
      try {
        expect(Bandwidth.parse(table).rateAt(new Date(2026, 10, 22, 0, minutes))).toBeGreaterThanOrEqual(
          1024,
        );
      } catch (error) {
        if (!isHoldfastError(error, "usage")) throw error;
      }
    }),
  );
});
