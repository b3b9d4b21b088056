import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { emptyDefinition, parseDefinition } from "../../../ingest/schedule/itemDefinition.ts";
import { parseRule, parseWindow } from "../../../ingest/schedule/rules.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";

const failureOf = (call: () => unknown): HoldfastError => {
  try {
    call();
  } catch (error) {
    if (error instanceof HoldfastError) return error;
    throw error;
  }
  throw new Error("it was taken");
};

describe("what does not parse is refused with its column", () => {
  test.each([
    ["", 1, "begins with its days"],
    ["fortnightly at 02:00", 1, "days are"],
    ["daily", 6, "at or every"],
    ["daily at 25:00", 10, "00:00 to 23:59"],
    ["daily at 24:00", 10, "00:00 to 23:59"],
    ["daily at 02:60", 10, "00:00 to 23:59"],
    ["daily at 02:00,", 16, "a time like"],
    ["daily at 2", 10, "a time like"],
    ["daily at 02:00 UTC", 16, "nothing can follow"],
    ["mon,, tue at 02:00", 5, "day of the week"],
    ["mon-funday at 02:00", 5, "days are"],
    ["day 32 at 02:00", 5, "1 to 31"],
    ["day first at 02:00", 5, "1 to 31"],
    ["daily every 0m", 13, "1m to 24h"],
    ["daily every 25h", 13, "1m to 24h"],
    ["daily every 15", 13, "a step like"],
    ["daily every 15m from 18:00 to 08:00", 31, "two rules"],
    ["daily every 15m from 08:00", 27, "to and a time"],
    ["daily  at 02:00 ; x", 17, "no day, time, step"],
    ["daily at 02:00x", 10, "no day, time, step"],
    [`daily at 02:00${" ".repeat(500)}`, 501, "longer"],
  ])("%j at %i", (text, column, why) => {
    const error = failureOf(() => parseRule(text));
    expect(error.code).toBe(ErrorCode.usage);
    expect(error.message).toContain(`column ${column}: `);
    expect(error.message).toContain(why);
    expect(error.detail).toEqual({ column });
  });

  test("so is a window", () => {
    expect(failureOf(() => parseWindow("daily at 02:00")).message).toContain("column 7: from and a time");
    expect(parseWindow("weekends from 00:00 to 24:00")).toMatchObject({ from: 0, to: 0 });
  });

  test("any text is taken, or refused with a column within it", () => {
    const words = fc.constantFrom(
      "daily",
      "mon",
      "-",
      ",",
      "at",
      "every",
      "15m",
      "from",
      "to",
      "02:00",
      "24:00",
      "day",
      "31",
      "last",
      " ",
      "x",
    );
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: "binary" }),
      fc.array(words).map((all) => all.join(" ")),
    );
    fc.assert(
      fc.property(text, (rule) => {
        try {
          const { minutes } = parseRule(rule);
          expect(minutes.length).toBeGreaterThan(0);
          expect(minutes.every((minute, n) => minute >= (minutes[n - 1] ?? -1) + 1 && minute < 1440)).toBe(
            true,
          );
        } catch (error) {
          if (!(error instanceof HoldfastError)) throw error;
          expect(error.detail.column).toBeGreaterThan(0);
          expect(error.detail.column).toBeLessThanOrEqual(rule.length + 1);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("definitions", () => {
  const good = {
    ...emptyDefinition(["/home"]),
    rules: ["daily at 02:00"],
    windows: ["daily from 22:00 to 06:00"],
  };

  test("come back as they are, without members that nobody knows", () => {
    expect(parseDefinition({ ...good, beforeCommand: "rm -rf /" })).toEqual(good);
    const named = { ...good, paths: [], program: "shop-db" };
    expect(parseDefinition(named)).toEqual(named);
    const { program: _, ...before } = good;
    expect(parseDefinition(before)).toEqual(good);
  });

  test.each([
    [{ paths: [] }, ErrorCode.usage],
    [{ paths: ["home"] }, ErrorCode.usage],
    [{ paths: ["-rf"] }, ErrorCode.usage],
    [{ paths: ["/a/../etc"] }, ErrorCode.usage],
    [{ paths: ["/a\0b"] }, ErrorCode.corrupt],
    [{ paths: Array.from({ length: 257 }, () => "/a") }, ErrorCode.limitExceeded],
    [{ paths: [`/${"x".repeat(5000)}`] }, ErrorCode.limitExceeded],
    [{ excludes: Array.from({ length: 300 }, () => "x".repeat(300)) }, ErrorCode.limitExceeded],
    [{ rules: ["daily"] }, ErrorCode.usage],
    [{ windows: ["daily"] }, ErrorCode.usage],
    [{ timeZone: "Mars/Olympus" }, ErrorCode.usage],
    [{ timeZone: "+02:00" }, ErrorCode.usage],
    [{ jitterSeconds: 43_201 }, ErrorCode.limitExceeded],
    [{ enabled: 1 }, ErrorCode.corrupt],
    [{ limitUploadBytesPerSecond: 0 }, ErrorCode.corrupt],
    [{ limitUploadTable: 7 }, ErrorCode.corrupt],
    [{ priority: "high" }, ErrorCode.corrupt],
    [{ limitUploadTable: "daily from 25:00 to 06:00 1MB" }, ErrorCode.usage],
    [{ program: "shop" }, ErrorCode.usage],
    [{ paths: [], program: "rm -rf /" }, ErrorCode.usage],
    [{ paths: [], program: 1 }, ErrorCode.corrupt],
  ])("%j is refused", (change, code) => {
    expect(failureOf(() => parseDefinition({ ...good, ...change })).code).toBe(code);
  });
});
