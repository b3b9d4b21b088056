// Summaries and verdicts of the report's rows, from what was measured. Pure.

import { PeerName } from "./peers/peer.ts";
import type { Goal, Limits, RowDefinition, Unit } from "./rows.ts";
import type { Column, Samples } from "./samples.ts";
import { ratio, type Summary, summarize } from "./statistics.ts";

export type Verdict = "pass" | "fail" | "not judged";

export type Row = RowDefinition & {
  readonly columns: Readonly<Partial<Record<Column, Summary>>>;
  /** Holdfast's median over the better peer's median. */
  readonly ratioToFaster?: number;
  readonly goalText?: string;
  /** The number that was held against the goal. */
  readonly judged?: number;
  readonly verdict: Verdict;
};

/** Summaries and verdicts of every row that has samples. A goal is judged only when everything it compares was measured. */
export function evaluate(definitions: readonly RowDefinition[], samples: Pick<Samples, "values">): Row[] {
  const summaries = new Map<string, Columns>();
  for (const [id, taken] of samples.values) {
    const columns: Partial<Record<Column, Summary>> = {};
    for (const [column, values] of taken) columns[column] = summarize(values);
    summaries.set(id, columns);
  }
  return definitions.flatMap((definition) => {
    const columns = summaries.get(definition.samplesOf ?? definition.id);
    if (columns === undefined) return [];
    const faster = betterMedian(columns, definition.unit);
    const own = columns.holdfast?.median;
    const ratioToFaster = own === undefined || faster === undefined ? undefined : ratio(own, faster);
    return [
      {
        ...definition,
        columns,
        ...(ratioToFaster === undefined ? {} : { ratioToFaster }),
        ...judge(definition.goal, { columns, faster, summaries }),
      },
    ];
  });
}

type Columns = Row["columns"];

/** Of restic's and borg's medians the smaller one, or the larger one where more is better. */
function betterMedian(columns: Columns, unit: Unit): number | undefined {
  const medians = [columns.restic?.median, columns.borg?.median].filter((value) => value !== undefined);
  if (medians.length === 0) return undefined;
  return unit === "/s" || unit === "bytes/s" ? Math.max(...medians) : Math.min(...medians);
}

type Judgement = Pick<Row, "goalText" | "judged" | "verdict">;
type Measured = {
  readonly columns: Columns;
  readonly faster: number | undefined;
  readonly summaries: ReadonlyMap<string, Columns>;
};

function judge(goal: Goal | undefined, { columns, faster, summaries }: Measured): Judgement {
  if (goal === undefined) return { verdict: "not judged" };
  const own = columns[PeerName.holdfast]?.median;
  const sign = goal.atMost === undefined ? `>= ${goal.atLeast}` : `<= ${goal.atMost}`;
  if (goal.kind === "bound") return verdictOf(goal, sign, own);
  const [reference, name] = referenceOf(goal, columns, faster, summaries);
  const judged = own === undefined || reference === undefined ? undefined : ratio(own, reference);
  return verdictOf(goal, `${sign}x ${name}`, judged);
}

function referenceOf(
  goal: Exclude<Goal, { kind: "bound" }>,
  columns: Columns,
  faster: number | undefined,
  summaries: Measured["summaries"],
): readonly [number | undefined, string] {
  if (goal.kind === "row") return [summaries.get(goal.row)?.holdfast?.median, goal.called];
  if (goal.against === "faster") return [faster, "the faster peer"];
  return [columns[goal.against]?.median, goal.against];
}

function verdictOf({ atMost, atLeast }: Limits, goalText: string, judged: number | undefined): Judgement {
  if (judged === undefined) return { goalText, verdict: "not judged" };
  const passed = judged <= (atMost ?? Infinity) && judged >= (atLeast ?? -Infinity);
  return { goalText, judged, verdict: passed ? "pass" : "fail" };
}
