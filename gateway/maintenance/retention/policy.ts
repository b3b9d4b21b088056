// What a retention policy says (docs/retention.md), as it is kept and as it comes from outside.

import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";

/** Periods of which the newest snapshot stays, the shortest first. */
export const periods = ["hourly", "daily", "weekly", "monthly", "yearly"] as const;
export type Period = (typeof periods)[number];

/** Counts are how many snapshots or periods are kept; 0 for none. */
export type RetentionPolicy = { readonly last: number } & Readonly<Record<Period, number>> & {
    /** Back from the item's newest snapshot; 0 for none. */
    readonly withinSeconds: number;
    readonly tags: readonly string[];
    /** IANA name of the zone in which hours, days, weeks, months and years begin. */
    readonly timeZone: string;
    /** How long what goes is kept in the trash at least. */
    readonly trashSeconds: number;
  };

export const retentionLimits = {
  countMax: 100_000,
  /** A thousand years. */
  secondsMax: 1000 * 366 * 86_400,
  tagCharactersMax: 64,
  tagsMax: 32,
  reasonCharactersMax: 200,
} as const;

export const trashSecondsDefault = 14 * 86_400;

/** What a tag may be: printable, without spaces and commas, so that it can be written anywhere. */
export function isTag(text: string): boolean {
  return text.length <= retentionLimits.tagCharactersMax && /^[^\s,\p{C}]+$/u.test(text);
}

/** @throws HoldfastError usage for what keeps nothing, is out of range or names no time zone */
export function checkPolicy(policy: RetentionPolicy): RetentionPolicy {
  const { last, withinSeconds, tags, timeZone, trashSeconds } = policy;
  const counts = [last, ...periods.map((period) => policy[period])];
  for (const count of counts) inRange(count, retentionLimits.countMax, "a number to keep");
  inRange(withinSeconds, retentionLimits.secondsMax, "the span to keep");
  inRange(trashSeconds, retentionLimits.secondsMax, "the time in the trash");
  if (tags.length > retentionLimits.tagsMax) throw usage(`more than ${retentionLimits.tagsMax} tags`);
  for (const tag of tags) if (!isTag(tag)) throw usage(`"${tag}" is no tag`);
  try {
    new Intl.DateTimeFormat("en", { timeZone });
  } catch {
    throw usage(`there is no time zone ${timeZone}`);
  }
  if (withinSeconds === 0 && counts.every((count) => count === 0)) {
    throw usage("a policy keeps something: a number above 0, or a span");
  }
  return policy;
}

function inRange(value: number, most: number, what: string): void {
  if (Number.isSafeInteger(value) && value >= 0 && value <= most) return;
  throw usage(`${what} is a whole number up to ${most}, not ${value}`);
}

function usage(message: string): HoldfastError {
  return new HoldfastError(ErrorCode.usage, message, { next: "See: holdfast help retention set" });
}
