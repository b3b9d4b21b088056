// The next time of each replica's schedule.

import { nextTime, type Schedule } from "./schedule.ts";

/** setTimeout takes at most so much; also bounds how late a clock that was set back is noticed. */
const sliceMs = 3_600_000;

export class ScheduleTimers {
  readonly #now: () => Date;
  /** By replica. */
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(now: () => Date) {
    this.#now = now;
  }

  /** Calls `due` at the next time of a replica's schedule, once; in place of what was set for it before. */
  set(replica: string, schedule: Schedule, due: () => void): void {
    this.clear(replica);
    const now = this.#now();
    const time = nextTime(schedule, now);
    if (time === undefined) return;
    const left = Math.max(1, time.getTime() - now.getTime());
    const timer = setTimeout(
      () => {
        if (this.#now() >= time) due();
        else this.set(replica, schedule, due);
      },
      Math.min(left, sliceMs),
    );
    this.#timers.set(replica, timer.unref());
  }

  clear(replica: string): void {
    clearTimeout(this.#timers.get(replica));
    this.#timers.delete(replica);
  }

  clearAll(): void {
    for (const replica of [...this.#timers.keys()]) this.clear(replica);
  }
}
