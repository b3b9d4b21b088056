// The guard's rules on histories that are written down: what is usual, what is sudden, what creeps.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type HistoryRow, historyRow, judge } from "../../../gateway/guard/judge.ts";
import {
  type GuardThresholds,
  noSettings,
  thresholdsDefault,
  thresholdsOf,
} from "../../../gateway/guard/thresholds.ts";
import { usualUpTo } from "../../../gateway/guard/usual.ts";

const MiB = 2 ** 20;

/** A row of an item with a thousand files; `raw`: which part of its new content does not shrink. */
function row(rewritten: number, more: Partial<HistoryRow> & { readonly raw?: number } = {}): HistoryRow {
  const { raw = 0.1, ...rest } = more;
  const bytes = 100 * MiB * rewritten;
  return {
    ...{ snapshot: "s", chunks: 500, files: 1000, rewritten, renamed: 0, vanished: 0 },
    ...{ bytes, rawBytes: bytes * raw, agentBytes: 0, agentRawBytes: 0, state: "good" },
    ...rest,
  };
}

const first = row(0, { bytes: 100 * MiB, rawBytes: 10 * MiB });

/** A first backup, and as many days as there are shares. */
function days(...shares: readonly number[]): HistoryRow[] {
  return [first, ...shares.map((share, n) => row(share, { snapshot: `day ${n}` }))];
}

function rules(
  history: readonly HistoryRow[],
  newest: HistoryRow,
  thresholds: GuardThresholds = thresholdsDefault,
) {
  return judge(history, newest, thresholds).findings.map(({ rule }) => rule);
}

const quiet = days(...Array.from({ length: 30 }, (_, n) => 0.01 + (n % 3) / 100));

describe("usual", () => {
  test("no history, a short one, and one that a spike does not move", () => {
    expect(usualUpTo([])).toBeUndefined();
    expect(usualUpTo([0, 0.3])).toBe(0.3);
    expect(usualUpTo([0.01, 0.02, 0.01, 0.02, 0.01, 0.9])).toBeLessThan(0.1);
    expect(usualUpTo([0, 0, 0, 0, 0.5, 0, 0, 0.5, 0, 0, 0.5]), "three times are usual").toBe(0.5);
  });

  test("is between the lowest and the highest, or above by the spread alone", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1 }), (values) => {
        const usual = usualUpTo(values) as number;
        expect(usual).toBeGreaterThanOrEqual(Math.min(...values));
        expect(usualUpTo(values.toReversed())).toBe(usual);
        expect(usualUpTo(values.map(() => values[0] as number))).toBe(values[0]);
      }),
    );
  });
});

describe("sudden changes", () => {
  test("each rule by its own share, and not before there are three snapshots", () => {
    expect(rules(quiet, row(0.6))).toEqual(["rewritten"]);
    expect(rules(quiet, row(0.45)), "below the threshold").toEqual([]);
    expect(rules(quiet, row(0.12, { raw: 0.95 }))).toEqual(["encrypted"]);
    expect(rules(quiet, row(0.12, { raw: 0.3 }))).toEqual([]);
    expect(rules(quiet, row(0.02, { renamed: 0.3 }))).toEqual(["renamed"]);
    expect(rules(quiet, row(0, { vanished: 0.7 }))).toEqual(["vanished"]);
    expect(rules(days(0.01), row(0.9))).toEqual([]);
    expect(rules(days(0.01), row(0.9, { raw: 1 })), "raw content tells from the second on").toEqual([
      "encrypted",
    ]);
    expect(rules([], row(0))).toEqual([]);
  });

  test("what an item does each time is usual: a dump, logs once a week", () => {
    expect(rules(days(1, 1), row(1))).toEqual([]);
    expect(rules(days(1, 1, 1, 1, 1, 1, 1), row(1))).toEqual([]);
    const weekly = Array.from({ length: 28 }, (_, n) => (n % 7 === 6 ? 0.6 : 0.01));
    expect(rules(days(...weekly.slice(0, 6)), row(0.6)), "the first week").toEqual(["rewritten"]);
    expect(rules(days(...weekly, ...weekly), row(0.6))).toEqual([]);
  });

  test("one that was accepted does not blind the guard for the next", () => {
    const history = [...quiet, row(0.7, { state: "accepted" }), ...quiet.slice(1, 20)];
    expect(rules(history, row(0.7))).toEqual(["rewritten"]);
  });

  test("content that never shrank says nothing, the agent's figures count like the gateway's", () => {
    const photos = quiet.map((each) => ({ ...each, rawBytes: each.bytes }));
    expect(rules(photos, row(0.2, { raw: 1 }))).toEqual([]);
    const said = { agentBytes: 10 * MiB, agentRawBytes: MiB };
    const history = quiet.map((each) => ({ ...each, ...said }));
    const hidden = row(0.2, { raw: 0, agentBytes: 10 * MiB, agentRawBytes: 10 * MiB });
    expect(rules(history, hidden)).toEqual(["encrypted"]);
  });

  test("a few files are no sign", () => {
    const small = quiet.map((each) => ({ ...each, files: 9, chunks: 2 }));
    expect(rules(small, row(1, { files: 9, chunks: 2, raw: 1 }))).toEqual([]);
    expect(rules(small, row(1, { files: 10, chunks: 2, raw: 1 }))).toEqual(["rewritten", "encrypted"]);
  });

  test("rules are switched off one by one or all", () => {
    const attack = row(0.9, { renamed: 0.9, raw: 1 });
    expect(rules(quiet, attack, { ...thresholdsDefault, rewritten: 0 })).toEqual(["renamed", "encrypted"]);
    expect(rules(quiet, attack, { ...thresholdsDefault, off: true })).toEqual([]);
    const item = { ...noSettings, rewritten: 95 };
    const vault = { ...noSettings, rewritten: 20, renamed: 0, off: true };
    expect(thresholdsOf(thresholdsDefault, item, vault)).toEqual({
      ...thresholdsDefault,
      ...{ rewritten: 95, renamed: 0, off: true },
    });
    expect(thresholdsOf(thresholdsDefault, { ...item, off: false }, vault).off).toBe(false);
  });
});

describe("creeping", () => {
  /** Attacks of this share, one snapshot after the other, until the guard says so. */
  function until(
    history: readonly HistoryRow[],
    share: number,
    raw: number,
  ): { after: number; since: string } {
    const rows = [...history];
    for (let after = 1; after <= 30; after++) {
      const next = row(share, { snapshot: `attack ${after}`, raw });
      const { findings, since } = judge(rows, next, thresholdsDefault);
      if (findings.length > 0) return { after, since };
      rows.push(next);
    }
    return { after: Number.POSITIVE_INFINITY, since: "" };
  }

  test("5 % each time is found after a few, back to where it began", () => {
    expect(until(quiet, 0.05, 0.95)).toEqual({ after: 4, since: "attack 1" });
    expect(until(quiet, 0.08, 0.95)).toEqual({ after: 3, since: "attack 1" });
    expect(until(quiet, 0.02, 0.95)).toEqual({ after: 9, since: "attack 1" });
    expect(until(days(0.01, 0.01, 0.01, 0.01), 0.09, 0.1), "content that shrinks").toMatchObject({
      after: 6,
    });
  });

  test("no more than is usual is not", () => {
    expect(until(quiet, 0.01, 0.95).after).toBe(Number.POSITIVE_INFINITY);
    expect(until(quiet, 0.08, 0.5).after, "a busy time").toBe(Number.POSITIVE_INFINITY);
    expect(rules(quiet, row(0.46)), "one change alone does not creep").toEqual([]);
  });

  test("what was accepted is not summed up again", () => {
    const crept = [1, 2, 3].map((n) => row(0.05, { snapshot: `${n}`, raw: 0.95, state: "accepted" }));
    expect(rules([...quiet, ...crept], row(0.05, { raw: 0.95 }))).toEqual([]);
  });
});

test("shares of a snapshot: what was replaced, not what grew; nothing for an item's first", () => {
  const counted = { chunks: 200, newChunks: 100, goneChunks: 0, uploadedBytes: 1, rawBytes: 0 };
  const said = { files: 1000, changed: 0, added: 500, removed: 0, renamed: 0, newBytes: 1, rawBytes: 0 };
  const shares = ({ rewritten, renamed, vanished }: HistoryRow) => [rewritten, renamed, vanished];
  expect(shares(historyRow("s", counted, said, { chunks: 100 }))).toEqual([0, 0, 0]);
  expect(shares(historyRow("s", { ...counted, goneChunks: 60 }, said, { chunks: 100 }))).toEqual([0.6, 0, 0]);
  const gone = { ...counted, newChunks: 0, goneChunks: 80 };
  expect(shares(historyRow("s", gone, undefined, { chunks: 100 }))).toEqual([0, 0, 0.8]);
  const locked = { ...said, added: 250, removed: 250, renamed: 250, changed: 100 };
  expect(shares(historyRow("s", counted, locked, { chunks: 100 }))).toEqual([0.35, 0.25, 0]);
  expect(shares(historyRow("s", gone, said, undefined))).toEqual([0, 0, 0]);
});
