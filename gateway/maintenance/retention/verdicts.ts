// What a policy makes of the snapshots of one item: which stay, which go, and why (docs/retention.md). Pure: rows in, verdicts out.
//
// Invariants: the newest snapshot and the newest complete one always stay; so do pinned ones; only when the gateway received a snapshot
// counts, in the order of its commits.

import type { HeldBecause } from "../../guard/heldItems.ts";
import { type Period, periods, type RetentionPolicy } from "./policy.ts";

export type Candidate = {
  /** 64 hex digits. */
  readonly id: string;
  /** RFC 3339, by the gateway's clock. */
  readonly received: string;
  readonly incomplete: boolean;
  readonly pinned: boolean;
  readonly tags: readonly string[];
};

/** Why a snapshot stays; none of them: it goes. */
export type Reason =
  | { readonly rule: "held"; readonly because: HeldBecause }
  | { readonly rule: "newest" | "newest-complete" | "pinned" | "unfinished" | "within" }
  | { readonly rule: "last"; readonly number: number; readonly of: number }
  | { readonly rule: Period; readonly period: string; readonly number: number; readonly of: number }
  | { readonly rule: "tag"; readonly tag: string };

export type Verdict = { readonly id: string; readonly reasons: readonly Reason[] };

/** `snapshots`: all of one item that are not in the trash, newest commit first. The verdicts come in the same order. */
export function verdictsOf(policy: RetentionPolicy, snapshots: readonly Candidate[]): Verdict[] {
  const newestComplete = snapshots.findIndex(({ incomplete }) => !incomplete);
  const newestMs = Date.parse(snapshots[0]?.received ?? "");
  const periodOf = periodNames(policy.timeZone);
  const seen = new Map<Period, Set<string>>(periods.map((period) => [period, new Set()]));
  return snapshots.map((snapshot, index) => {
    const reasons: Reason[] = [];
    if (index === 0) reasons.push({ rule: "newest" });
    if (index === newestComplete && index > 0) reasons.push({ rule: "newest-complete" });
    if (snapshot.pinned) reasons.push({ rule: "pinned" });
    const unfinished = snapshot.incomplete && (newestComplete < 0 || index < newestComplete);
    if (unfinished && index > 0) reasons.push({ rule: "unfinished" });
    if (index < policy.last) reasons.push({ rule: "last", number: index + 1, of: policy.last });
    if (newestMs - Date.parse(snapshot.received) <= policy.withinSeconds * 1000 && policy.withinSeconds > 0)
      reasons.push({ rule: "within" });
    for (const tag of snapshot.tags) if (policy.tags.includes(tag)) reasons.push({ rule: "tag", tag });
    // A portion of a backup stands for no day: what it has, a later one has whole.
    if (!snapshot.incomplete) {
      const names = periodOf(snapshot.received);
      for (const rule of periods) {
        const known = seen.get(rule) as Set<string>;
        const period = names[rule];
        if (known.size >= policy[rule] || known.has(period)) continue;
        known.add(period);
        reasons.push({ rule, period, number: known.size, of: policy[rule] });
      }
    }
    return { id: snapshot.id, reasons };
  });
}

/** Gives the names of the hour, day, ISO week, month and year in which a time falls. */
function periodNames(timeZone: string): (time: string) => Record<Period, string> {
  const format = new Intl.DateTimeFormat("en-CA", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    timeZoneName: "longOffset",
  });
  return (time) => {
    const parts = new Map(format.formatToParts(new Date(time)).map(({ type, value }) => [type, value]));
    const part = (type: Intl.DateTimeFormatPartTypes): string => parts.get(type) ?? "";
    const yearly = part("year");
    const monthly = `${yearly}-${part("month")}`;
    const daily = `${monthly}-${part("day")}`;
    // With the offset, since one hour comes twice where clocks are put back.
    const hourly = `${daily} ${part("hour")}h ${part("timeZoneName")}`;
    return { hourly, daily, weekly: isoWeek(daily), monthly, yearly };
  };
}

/** The ISO 8601 week of a day "2026-11-26", as "2026-W48": it belongs to the year that its Thursday is in. */
function isoWeek(day: string): string {
  const dayMs = 86_400_000;
  const atMs = Date.parse(`${day}T00:00:00Z`);
  const weekday = (new Date(atMs).getUTCDay() + 6) % 7;
  const thursdayMs = atMs + (3 - weekday) * dayMs;
  const year = new Date(thursdayMs).getUTCFullYear();
  const week = Math.floor((thursdayMs - Date.UTC(year, 0, 1)) / (7 * dayMs)) + 1;
  return `${year}-W${String(week).padStart(2, "0")}`;
}
