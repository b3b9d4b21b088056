// What policies make of snapshots: examples by hand, and what holds for any policy and any history.

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  checkPolicy,
  periods,
  type RetentionPolicy,
} from "../../../../gateway/maintenance/retention/policy.ts";
import {
  type Candidate,
  type Verdict,
  verdictsOf,
} from "../../../../gateway/maintenance/retention/verdicts.ts";

const nothing: RetentionPolicy = {
  ...{ last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 },
  ...{ withinSeconds: 0, tags: [], timeZone: "UTC", trashSeconds: 0 },
};

function snapshot(received: string, more: Partial<Candidate> = {}): Candidate {
  return { id: received, received, incomplete: false, pinned: false, tags: [], ...more };
}

/** Each snapshot's time, and the rules that keep it. */
function kept(policy: Partial<RetentionPolicy>, snapshots: readonly Candidate[]): [string, string[]][] {
  return verdictsOf({ ...nothing, ...policy }, snapshots).map(({ id, reasons }) => [
    id,
    reasons.map((reason) => ("period" in reason ? `${reason.rule} ${reason.period}` : reason.rule)),
  ]);
}

test("the newest of each day that has one; days without do not count", () => {
  const at = ["2026-11-26T09:00:00Z", "2026-11-26T08:00:00Z", "2026-11-20T23:59:59Z", "2026-11-20T00:00:00Z"];
  expect(
    kept(
      { daily: 2 },
      [...at, "2026-11-01T00:00:00Z"].map((time) => snapshot(time)),
    ),
  ).toEqual([
    [at[0], ["newest", "daily 2026-11-26"]],
    [at[1], []],
    [at[2], ["daily 2026-11-20"]],
    [at[3], []],
    ["2026-11-01T00:00:00Z", []],
  ]);
});

test("weeks are ISO weeks, and belong to the year of their Thursday", () => {
  const at = ["2027-01-04T00:00:00Z", "2027-01-03T23:00:00Z", "2026-12-31T00:00:00Z", "2026-12-28T00:00:00Z"];
  expect(
    kept(
      { weekly: 9 },
      [...at, "2026-12-27T00:00:00Z"].map((time) => snapshot(time)),
    ),
  ).toEqual([
    [at[0], ["newest", "weekly 2027-W01"]],
    [at[1], ["weekly 2026-W53"]],
    [at[2], []],
    [at[3], []],
    ["2026-12-27T00:00:00Z", ["weekly 2026-W52"]],
  ]);
});

test("days begin in the policy's time zone, and the hour that comes twice is two hours", () => {
  const late = [snapshot("2026-11-25T23:30:00Z"), snapshot("2026-11-25T22:30:00Z")];
  expect(kept({ daily: 5 }, late).map(([, rules]) => rules.length)).toEqual([2, 0]);
  expect(kept({ daily: 5, timeZone: "Europe/Vienna" }, late).at(-1)?.[1]).toEqual(["daily 2026-11-25"]);
  // Clocks go back at 01:00 UTC.
  const twice = [snapshot("2026-10-25T01:30:00Z"), snapshot("2026-10-25T00:30:00Z")];
  const hours = kept({ hourly: 5, timeZone: "Europe/Vienna" }, twice).map(([, rules]) => rules.at(-1));
  expect(hours).toEqual(["hourly 2026-10-25 02h GMT+01:00", "hourly 2026-10-25 02h GMT+02:00"]);
});

test("a span is measured from the newest snapshot", () => {
  const rows = ["2020-01-03T00:00:00Z", "2020-01-02T00:00:00Z", "2020-01-01T23:59:59Z"];
  const all = kept(
    { withinSeconds: 86_400 },
    rows.map((time) => snapshot(time)),
  );
  expect(all.map(([, rules]) => rules)).toEqual([["newest", "within"], ["within"], []]);
});

test("portions stand for no day; those behind the newest complete one stay, older ones go", () => {
  const rows = [
    snapshot("2026-11-26T04:00:00Z", { incomplete: true }),
    snapshot("2026-11-26T03:00:00Z", { incomplete: true }),
    snapshot("2026-11-26T02:00:00Z"),
    snapshot("2026-11-26T01:00:00Z", { incomplete: true }),
    snapshot("2026-11-25T01:00:00Z"),
  ];
  expect(kept({ daily: 1 }, rows).map(([, rules]) => rules)).toEqual([
    ["newest"],
    ["unfinished"],
    ["newest-complete", "daily 2026-11-26"],
    [],
    [],
  ]);
});

test("pins and tags", () => {
  const rows = [
    snapshot("2026-11-26T04:00:00Z"),
    snapshot("2026-11-26T03:00:00Z", { tags: ["other"] }),
    snapshot("2026-11-26T02:00:00Z", { tags: ["quarter", "other"] }),
    snapshot("2026-11-26T01:00:00Z", { pinned: true }),
  ];
  const rules = kept({ last: 1, tags: ["quarter"] }, rows).map(([, each]) => each);
  expect(rules).toEqual([["newest", "last"], [], ["tag"], ["pinned"]]);
});

test("policies that keep nothing, or are none, are refused", () => {
  const code = (policy: Partial<RetentionPolicy>): string => {
    try {
      checkPolicy({ ...nothing, ...policy });
      return "fine";
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  expect(code({ last: 1 })).toBe("fine");
  expect(code({ withinSeconds: 1 })).toBe("fine");
  for (const wrong of [{}, { tags: ["x"] }, { last: -1 }, { daily: 1.5 }, { last: 1, timeZone: "Mars/Base" }])
    expect(code(wrong), JSON.stringify(wrong)).toBe("usage");
  for (const tag of ["", "two words", "a,b", "x\n", "x".repeat(65)])
    expect(code({ last: 1, tags: [tag] }), tag).toBe("usage");
});

const count = fc.integer({ min: 0, max: 6 });
const anyPolicy: fc.Arbitrary<RetentionPolicy> = fc
  .record({ last: count, hourly: count, daily: count, weekly: count, monthly: count, yearly: count })
  .chain((counts) =>
    fc
      .record({
        withinSeconds: fc.integer({ min: 0, max: 20 * 86_400 }),
        tags: fc.constantFrom([], ["t"]),
        timeZone: fc.constantFrom("UTC", "Europe/Vienna", "America/St_Johns", "Asia/Kathmandu"),
      })
      .map((more) => ({ ...nothing, ...counts, ...more })),
  );
/** The clock of a gateway may be set back: times need not fall. */
const anyHistory: fc.Arbitrary<Candidate[]> = fc
  .array(
    fc.record({
      ms: fc.integer({ min: 0, max: 400 * 86_400_000 }),
      incomplete: fc.boolean(),
      pinned: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
      tags: fc.constantFrom([], ["t"], ["u"]),
    }),
    { maxLength: 60 },
  )
  .map((rows) =>
    rows.map(({ ms, ...row }, index) => ({
      ...row,
      id: String(index),
      received: new Date(Date.UTC(2026, 0, 1) + ms).toISOString(),
    })),
  );
const stays = ({ reasons }: Verdict): boolean => reasons.length > 0;

test("for any policy and history: the newest ones and pinned ones stay, counts hold, and pruning again changes nothing", () => {
  fc.assert(
    fc.property(anyPolicy, anyHistory, (policy, history) => {
      const verdicts = verdictsOf(policy, history);
      expect(verdicts.map(({ id }) => id)).toEqual(history.map(({ id }) => id));
      const left = history.filter((_, index) => stays(verdicts[index] as Verdict));
      expect(left[0]).toEqual(history[0]);
      expect(left.find(({ incomplete }) => !incomplete)).toEqual(
        history.find(({ incomplete }) => !incomplete),
      );
      expect(left.filter(({ pinned }) => pinned)).toEqual(history.filter(({ pinned }) => pinned));
      for (const period of periods) {
        const of = verdicts.filter(({ reasons }) => reasons.some(({ rule }) => rule === period));
        expect(of.length).toBeLessThanOrEqual(policy[period]);
      }
      expect(verdictsOf(policy, left).every(stays)).toBe(true);
    }),
  );
});

test("for any policy and history: a rule more never loses a snapshot", () => {
  fc.assert(
    fc.property(
      anyPolicy,
      anyHistory,
      fc.constantFrom(...periods, "last" as const),
      (policy, history, rule) => {
        const more = verdictsOf({ ...policy, [rule]: policy[rule] + 1 }, history);
        verdictsOf(policy, history).forEach((verdict, index) => {
          if (stays(verdict)) expect(stays(more[index] as Verdict)).toBe(true);
        });
      },
    ),
  );
});
