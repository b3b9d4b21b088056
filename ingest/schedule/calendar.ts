// When backups of an item are due, when they may begin, and how they are spread (docs/schedules.md). Pure: moments are milliseconds since
// 1970 that the caller gives.

import { createHash } from "node:crypto";
import type { ItemDefinition } from "./itemDefinition.ts";
import { type Days, parseRule, parseWindow, type Rule, type Window } from "./rules.ts";
import { isOn, isOpen } from "./windows.ts";
import { Zone } from "./zone.ts";

const minuteMs = 60_000;
const dayMs = 1440 * minuteMs;
/** The longest pause of a rule: day 30 is not in February, 31 not in two months out of three at most. */
const daysAheadMax = 66;
/** Openings that follow each other: windows without a gap for weeks are no windows. */
const openingsMax = 64;
/** How far back the newest due time is looked for, the shortest first. */
const backMs = [2 * minuteMs, 2 * 60 * minuteMs, 2 * dayMs, 9 * dayMs, daysAheadMax * dayMs];

export type ScheduleParts = Pick<ItemDefinition, "rules" | "windows" | "timeZone" | "jitterSeconds">;

export class Calendar {
  readonly #zone: Zone;
  readonly #rules: readonly Rule[];
  readonly #windows: readonly Window[];
  readonly #jitterMs: number;

  /** @throws HoldfastError usage: a rule or window that does not parse, with the column; a zone that is none */
  constructor({ rules, windows, timeZone, jitterSeconds }: ScheduleParts) {
    this.#zone = new Zone(timeZone);
    this.#rules = rules.map(parseRule);
    this.#windows = windows.map(parseWindow);
    this.#jitterMs = jitterSeconds * 1000;
  }

  /** The first due time after this moment; undefined without rules, or where no month has such a day. */
  nextDue(afterMs: number): number | undefined {
    return this.#first(this.#rules, afterMs);
  }

  #first(rules: readonly Rule[], afterMs: number): number | undefined {
    const found = rules.map((rule) => this.#next(rule, afterMs)).filter((due) => due !== undefined);
    return found.length === 0 ? undefined : Math.min(...found);
  }

  #next({ days, minutes }: Rule, afterMs: number): number | undefined {
    // A wall time that the clock has shown, or passed over, is never due again: only later ones are looked at.
    const shownMs = this.#zone.wallMs(afterMs);
    const today = Math.floor(shownMs / dayMs);
    for (let day = today; day <= today + daysAheadMax; day++) {
      if (!isOn(days, day)) continue;
      for (const minute of minutes) {
        const wallMs = day * dayMs + minute * minuteMs;
        if (wallMs <= shownMs) continue;
        // One of an hour that is repeated may have been shown the first time.
        const dueMs = this.#zone.firstMs(wallMs);
        if (dueMs > afterMs) return dueMs;
      }
    }
    return undefined;
  }

  /** The newest due time that is after `sinceMs` and not after `nowMs`. */
  newestDue(sinceMs: number, nowMs: number): number | undefined {
    for (const back of backMs) {
      const from = Math.max(sinceMs, nowMs - back);
      let newest: number | undefined;
      for (let due = this.nextDue(from); due !== undefined && due <= nowMs; due = this.nextDue(due))
        newest = due;
      if (newest !== undefined || from === sinceMs) return newest;
    }
    return undefined;
  }

  /** When the backup of a due time may begin at the earliest. `share`: 0 to 1, of the item (`shareOf`). */
  beginOf(dueMs: number, share: number): number {
    const next = this.nextDue(dueMs);
    const most = next === undefined ? this.#jitterMs : Math.min(this.#jitterMs, (next - dueMs) / 2);
    return this.opensAt(dueMs + Math.floor(most * share));
  }

  /** The first moment from this one on at which a backup may begin. */
  opensAt(momentMs: number): number {
    if (this.#windows.length === 0) return momentMs;
    const openings = this.#windows.map(({ days, from }): Rule => ({ days, minutes: [from] }));
    let opensMs: number | undefined = momentMs;
    // One that lies in a skipped hour does not open: the next one is looked at.
    for (let looked = 0; looked < openingsMax && opensMs !== undefined; looked++) {
      if (this.#openNow(opensMs).length > 0) return opensMs;
      opensMs = this.#first(openings, opensMs);
    }
    return Number.POSITIVE_INFINITY;
  }

  /** When the windows that are open now close, those that open meanwhile too; undefined where nothing closes. */
  closesAt(momentMs: number): number | undefined {
    let closesMs = momentMs;
    for (let links = 0; links < openingsMax; links++) {
      const open = this.#openNow(closesMs);
      if (open.length === 0) return closesMs === momentMs ? undefined : closesMs;
      const ends = open.map(({ to }): Rule => ({ days: everyDay, minutes: [to] }));
      closesMs = Math.max(...ends.map((end) => this.#first([end], closesMs) as number));
    }
    return undefined;
  }

  #openNow(momentMs: number): Window[] {
    const wallMs = this.#zone.wallMs(momentMs);
    return this.#windows.filter((window) => isOpen(window, wallMs));
  }
}

const everyDay: Days = { of: "week", days: [0, 1, 2, 3, 4, 5, 6] };

/** An item's share of its jitter, 0 to 1: the same each time. `device`: its id. */
export function shareOf(device: string, item: string): number {
  return createHash("sha256").update(`${device}\n${item}`).digest().readUInt32BE(0) / 2 ** 32;
}
