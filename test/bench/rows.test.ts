import { describe, expect, test } from "vitest";
import { evaluate } from "./evaluate.ts";
import { largeRows, offsiteRows, standardRows } from "./rows.ts";
import { type Column, collectSamples } from "./samples.ts";
import { upkeepRows } from "./upkeepRows.ts";

/** Evaluates one row of the standard run from samples per column. */
function judged(id: string, columns: Partial<Record<Column, number[]>>) {
  const samples = collectSamples();
  for (const [column, values] of Object.entries(columns)) {
    for (const value of values) samples.add(id, column as Column, value);
  }
  const [row] = evaluate([...standardRows(50), ...largeRows], samples);
  if (row === undefined) throw new Error(`no row ${id}`);
  return row;
}

describe("goals", () => {
  test("a ratio goal holds the median against the faster peer's median", () => {
    const row = judged("first", { holdfast: [9, 4, 5], restic: [20, 20, 20], borg: [10, 100, 9] });
    expect(row).toMatchObject({ ratioToFaster: 0.5, judged: 0.5, verdict: "pass" });
    expect(judged("first", { holdfast: [5.1], restic: [10], borg: [20] }).verdict).toBe("fail");
  });

  test("a goal against restic ignores a better borg", () => {
    const row = judged("stored", { holdfast: [99], restic: [100], borg: [50] });
    expect(row).toMatchObject({ ratioToFaster: 1.98, judged: 0.99, verdict: "pass" });
  });

  test("a warm tar is held against the same tar of the source folder", () => {
    expect(judged("tar-warm", { holdfast: [3], source: [1], restic: [30] })).toMatchObject({
      judged: 3,
      verdict: "fail",
    });
  });

  test("without Holdfast, or without what it is compared to, nothing is judged", () => {
    expect(judged("first", { restic: [1], borg: [2] }).verdict).toBe("not judged");
    expect(judged("stored", { holdfast: [1], borg: [2] }).verdict).toBe("not judged");
    expect(judged("edits", { holdfast: [1], restic: [2] }).verdict).toBe("not judged");
  });

  test("bounds work both ways, and the mount's cache is allowed on top", () => {
    expect(judged("cache-lost-sent", { holdfast: [1] }).verdict).toBe("pass");
    expect(judged("cache-lost-sent", { holdfast: [1.01] }).verdict).toBe("fail");
    expect(judged("index-lookups", { holdfast: [300_000] }).verdict).toBe("pass");
    expect(judged("index-lookups", { holdfast: [299_999] }).verdict).toBe("fail");
    expect(judged("mount-memory", { holdfast: [150e6 + 50] }).verdict).toBe("pass");
    expect(judged("mount-memory", { holdfast: [150e6 + 51] }).verdict).toBe("fail");
  });

  test("where more is better, the faster peer is the one with more, and a goal may ask for a multiple", () => {
    const row = judged("random-cold", { holdfast: [500], restic: [100], borg: [20] });
    expect(row).toMatchObject({ ratioToFaster: 5, judged: 5, verdict: "pass" });
    expect(judged("random-cold", { holdfast: [499], restic: [100] }).verdict).toBe("fail");
  });

  test("a row may judge another row's figures, or be held against Holdfast's own in another row", () => {
    const samples = collectSamples();
    for (const [row, column, value] of [
      ["tar-cold", "holdfast", 3.5],
      ["tar-cold", "borg", 10],
      ["agent-tar-cold", "holdfast", 7.1],
    ] as const) {
      samples.add(row, column, value);
    }
    const rows = evaluate(standardRows(0), samples);
    const verdicts = Object.fromEntries(rows.map(({ id, judged, verdict }) => [id, { judged, verdict }]));
    expect(verdicts["tar-cold-borg"]).toEqual({ judged: 0.35, verdict: "pass" });
    expect(verdicts["agent-tar-cold"]).toEqual({ judged: 7.1 / 3.5, verdict: "fail" });
  });

  test("every row has a name of its own", () => {
    for (const rows of [standardRows(0), largeRows, offsiteRows, upkeepRows]) {
      expect(new Set(rows.map((row) => row.id)).size).toBe(rows.length);
    }
  });
});
