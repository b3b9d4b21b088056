import { expect, test } from "vitest";
import { nextTime, parseSchedule } from "../../../../gateway/replica/job/schedule.ts";

test("times of the day, besides snapshots or alone", () => {
  expect(parseSchedule("")).toEqual({ continuous: true, times: [] });
  expect(parseSchedule("18:30, 6:00,18:30")).toEqual({ continuous: true, times: [360, 1110] });
  expect(parseSchedule("only 02:00")).toEqual({ continuous: false, times: [120] });
});

test("the next time, today or tomorrow", () => {
  const schedule = parseSchedule("02:00, 14:30");
  expect(nextTime(schedule, new Date(2026, 10, 30, 1, 59))).toEqual(new Date(2026, 10, 30, 2, 0));
  expect(nextTime(schedule, new Date(2026, 10, 30, 2, 0))).toEqual(new Date(2026, 10, 30, 14, 30));
  expect(nextTime(schedule, new Date(2026, 10, 30, 20, 0))).toEqual(new Date(2026, 11, 1, 2, 0));
  expect(nextTime(parseSchedule(""), new Date(2026, 10, 30))).toBeUndefined();
});

test.each(["24:00", "2", "02:60", "noon", "02:00,", "only", Array(100).fill("01:00").join(",")])(
  "refuses %s",
  (text) => {
    expect(() => parseSchedule(text)).toThrow(/schedule: /);
  },
);
