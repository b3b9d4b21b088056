// Clocks on the wall. A *wall time* is a number: the milliseconds since 1970 that a clock in UTC which shows the same would stand for.
//
// The system's own zone data (Intl) says how far each zone is from UTC at a moment; all arithmetic is on that.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

const minuteMs = 60_000;
/** More than any zone is away from UTC. */
const farMs = 25 * 60 * minuteMs;

/** An IANA name: no bare distances from UTC, which know no summer time. */
const zoneName = /^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/;

export class Zone {
  readonly #format: Intl.DateTimeFormat;

  /** @throws HoldfastError usage for a name that is no time zone's */
  constructor(name: string) {
    try {
      if (!zoneName.test(name)) throw new RangeError("not an IANA name");
      this.#format = new Intl.DateTimeFormat("en", { timeZone: name, timeZoneName: "longOffset" });
    } catch (cause) {
      throw new HoldfastError(ErrorCode.usage, `there is no time zone ${JSON.stringify(name)}`, {
        next: "Write it like Europe/Vienna, or UTC.",
        cause,
      });
    }
  }

  /** How far the clock on the wall is ahead of UTC. */
  #aheadMs(momentMs: number): number {
    const text =
      this.#format.formatToParts(momentMs).find(({ type }) => type === "timeZoneName")?.value ?? "";
    const match = /^GMT(?:(?<sign>[+-])(?<hours>\d\d):(?<minutes>\d\d)(?::(?<seconds>\d\d))?)?$/.exec(text);
    if (match === null) throw new Error(`the system says ${text} of a time zone`);
    const { sign, hours = 0, minutes = 0, seconds = 0 } = match.groups ?? {};
    const ahead = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
    return (sign === "-" ? -ahead : ahead) * 1000;
  }

  /** What the clock shows. */
  wallMs(momentMs: number): number {
    return momentMs + this.#aheadMs(momentMs);
  }

  /**
   * The first moment at which the clock shows this wall time or a later one: the first of two where it comes twice, the moment of the
   * jump where it is skipped.
   */
  firstMs(wallMs: number): number {
    const before = this.#aheadMs(wallMs - farMs);
    const after = this.#aheadMs(wallMs + farMs);
    if (before === after) return wallMs - before;
    for (const ahead of [Math.max(before, after), Math.min(before, after)]) {
      if (this.#aheadMs(wallMs - ahead) === ahead) return wallMs - ahead;
    }
    // Skipped. The jump is the only change in between, and falls on a whole minute.
    let [no, yes] = [Math.floor((wallMs - farMs) / minuteMs), Math.floor((wallMs + farMs) / minuteMs)];
    while (yes - no > 1) {
      const middle = Math.floor((no + yes) / 2);
      if (this.#aheadMs(middle * minuteMs) === after) yes = middle;
      else no = middle;
    }
    return yes * minuteMs;
  }
}
