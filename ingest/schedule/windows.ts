// Whether days and windows of the language of schedules hold at a wall time (zone.ts).

import type { Days, Window } from "./rules.ts";

const minuteMs = 60_000;
const dayMs = 1440 * minuteMs;

/** `day`: days since 1970-01-01, which was a Thursday. */
export function isOn(days: Days, day: number): boolean {
  if (days.of === "week") return days.days.includes((((day + 4) % 7) + 7) % 7);
  const date = new Date(day * dayMs).getUTCDate();
  return days.days.includes(date) || (days.last && new Date((day + 1) * dayMs).getUTCDate() === 1);
}

export function isOpen({ days, from, to }: Window, wallMs: number): boolean {
  const day = Math.floor(wallMs / dayMs);
  const minute = (wallMs - day * dayMs) / minuteMs;
  if (from < to) return isOn(days, day) && minute >= from && minute < to;
  return (isOn(days, day) && minute >= from) || (isOn(days, day - 1) && minute < to);
}
