// When a replica's jobs run: "02:00, 14:30" besides after every snapshot, or "only 02:00" at these times alone.
// Times are those of the machine's time zone.

import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";

export type Schedule = {
  /** Runs after every snapshot. */
  readonly continuous: boolean;
  /** Minutes of the day, ascending. */
  readonly times: readonly number[];
};

const timesMax = 96;

/**
 * Reads a schedule; empty: continuous.
 * @throws HoldfastError usage
 */
export function parseSchedule(text: string): Schedule {
  const trimmed = text.trim().toLowerCase();
  if (trimmed === "") return { continuous: true, times: [] };
  const only = trimmed.startsWith("only ");
  const parts = (only ? trimmed.slice(5) : trimmed).split(",");
  if (parts.length > timesMax) throw wrong(`more than ${timesMax} times`);
  const times = parts.map((part) => {
    const match = /^(?<hours>\d{1,2}):(?<minutes>[0-5]\d)$/.exec(part.trim());
    const hours = Number(match?.groups?.hours);
    if (match === null || hours > 23) throw wrong(`${JSON.stringify(part.trim())} is no time of the day`);
    return hours * 60 + Number(match.groups?.minutes);
  });
  return { continuous: !only, times: [...new Set(times)].sort((a, b) => a - b) };
}

/** The next time of a schedule after `now`, or undefined when it has none. */
export function nextTime(schedule: Schedule, now: Date): Date | undefined {
  // The day after too: the last time of today may have gone by. A day that is 23 hours long is no matter for local times.
  for (let day = 0; day <= 1; day++) {
    for (const minutes of schedule.times) {
      const time = new Date(now.getFullYear(), now.getMonth(), now.getDate() + day, 0, minutes);
      if (time > now) return time;
    }
  }
  return undefined;
}

function wrong(why: string): HoldfastError {
  return new HoldfastError(ErrorCode.usage, `schedule: ${why}`, {
    next: 'Write it like "02:00", "06:00, 18:30", or "only 02:00" where snapshots are not to start it.',
  });
}
