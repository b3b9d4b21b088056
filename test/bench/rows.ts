// The rows of the report and their goals. Evaluation is pure.

import { PeerName } from "./peers/peer.ts";
import type { Column, Samples } from "./samples.ts";
import { ratio, type Summary, summarize } from "./statistics.ts";

export type Unit = "s" | "bytes" | "%" | "/s";

type Goal =
  /** Holdfast's median over another column's median; "faster" is the smaller of restic's and borg's. */
  | { readonly kind: "ratio"; readonly against: Column | "faster"; readonly atMost: number }
  | { readonly kind: "bound"; readonly atMost?: number; readonly atLeast?: number };

export type RowDefinition = {
  readonly id: string;
  readonly title: string;
  readonly unit: Unit;
  readonly goal?: Goal;
};

export type Verdict = "pass" | "fail" | "not judged";

export type Row = RowDefinition & {
  readonly columns: Readonly<Partial<Record<Column, Summary>>>;
  /** Holdfast's median over the smaller peer's median. */
  readonly ratioToFaster?: number;
  readonly goalText?: string;
  /** The number that was held against the goal. */
  readonly judged?: number;
  readonly verdict: Verdict;
};

const MB = 1e6;
const MEMORY_BOUND = 350 * MB;
const ratioGoal = (against: Column | "faster", atMost: number): Goal => ({ kind: "ratio", against, atMost });

const memoryRows: readonly RowDefinition[] = [
  {
    id: "agent-memory",
    title: "agent: peak memory of any step",
    unit: "bytes",
    goal: { kind: "bound", atMost: MEMORY_BOUND },
  },
  {
    id: "gateway-memory",
    title: "gateway: peak memory of any step",
    unit: "bytes",
    goal: { kind: "bound", atMost: MEMORY_BOUND },
  },
];

/** The rows of the standard run; `mountCacheBytes` is what the Holdfast mount was allowed as cache. */
export function standardRows(mountCacheBytes: number): readonly RowDefinition[] {
  return [
    { id: "first", title: "first backup", unit: "s", goal: ratioGoal("faster", 0.5) },
    { id: "unchanged", title: "nothing changed", unit: "s", goal: ratioGoal("faster", 0.25) },
    { id: "stored", title: "stored bytes", unit: "bytes", goal: ratioGoal("restic", 1) },
    { id: "restore", title: "restore", unit: "s", goal: ratioGoal("faster", 1) },
    { id: "edits", title: "small files edited: time", unit: "s" },
    {
      id: "edits-added",
      title: "small files edited: bytes added",
      unit: "bytes",
      goal: ratioGoal("restic", 2),
    },
    { id: "image-first", title: "disk image: first backup", unit: "s" },
    { id: "image-edits", title: "disk image edited in place: time", unit: "s" },
    {
      id: "image-added",
      title: "disk image edited in place: bytes added",
      unit: "bytes",
      goal: ratioGoal("restic", 1.1),
    },
    { id: "cache-lost", title: "agent's cache deleted, nothing changed: time", unit: "s" },
    {
      id: "cache-lost-sent",
      title: "agent's cache deleted: sent, of first backup",
      unit: "%",
      goal: { kind: "bound", atMost: 1 },
    },
    { id: "second-device", title: "second device, same tree: time", unit: "s" },
    {
      id: "second-device-sent",
      title: "second device, same tree: sent, of first backup",
      unit: "%",
      goal: { kind: "bound", atMost: 2 },
    },
    { id: "second-device-read-back", title: "second device: bytes read back to verify", unit: "bytes" },
    { id: "second-device-edited", title: "second device after the edits: time", unit: "s" },
    {
      id: "second-device-edited-sent",
      title: "second device after the edits: sent, of first backup",
      unit: "%",
      goal: { kind: "bound", atMost: 2 },
    },
    {
      id: "second-device-edited-read-back",
      title: "second device after the edits: bytes read back to verify",
      unit: "bytes",
    },
    { id: "find", title: "mount: find (with stat)", unit: "s", goal: ratioGoal("faster", 0.5) },
    {
      id: "tar-cold",
      title: "mount: tar of everything, fresh mount",
      unit: "s",
      goal: ratioGoal("restic", 0.2),
    },
    { id: "tar-warm", title: "mount: tar again", unit: "s", goal: ratioGoal("source", 2) },
    {
      id: "mount-memory",
      title: "mount: memory after both tars",
      unit: "bytes",
      goal: { kind: "bound", atMost: 150 * MB + mountCacheBytes },
    },
    ...memoryRows,
  ];
}

/** The rows of `--large`. */
export const largeRows: readonly RowDefinition[] = [
  { id: "many-first", title: "many small files: first backup", unit: "s" },
  { id: "many-unchanged", title: "many small files: nothing changed", unit: "s" },
  { id: "sparse-first", title: "sparse file: first backup", unit: "s" },
  { id: "sparse-unchanged", title: "sparse file: nothing changed", unit: "s" },
  ...memoryRows,
  { id: "index-inserted", title: "index: inserted", unit: "/s", goal: { kind: "bound", atLeast: 100_000 } },
  {
    id: "index-last-million",
    title: "index: inserted, last million",
    unit: "/s",
    goal: { kind: "bound", atLeast: 100_000 },
  },
  { id: "index-lookups", title: "index: looked up", unit: "/s", goal: { kind: "bound", atLeast: 300_000 } },
  { id: "index-bytes", title: "index: bytes per chunk", unit: "bytes", goal: { kind: "bound", atMost: 100 } },
];

/** Summaries and verdicts of every row that has samples. A goal is judged only when everything it compares was measured. */
export function evaluate(definitions: readonly RowDefinition[], samples: Pick<Samples, "values">): Row[] {
  return definitions.flatMap((definition) => {
    const taken = samples.values.get(definition.id);
    if (taken === undefined) return [];
    const columns: Partial<Record<Column, Summary>> = {};
    for (const [column, values] of taken) columns[column] = summarize(values);
    const faster = fasterMedian(columns);
    const own = columns.holdfast?.median;
    const ratioToFaster = own === undefined || faster === undefined ? undefined : ratio(own, faster);
    return [
      {
        ...definition,
        columns,
        ...(ratioToFaster === undefined ? {} : { ratioToFaster }),
        ...judge(definition.goal, columns, faster),
      },
    ];
  });
}

function fasterMedian(columns: Row["columns"]): number | undefined {
  const medians = [columns.restic?.median, columns.borg?.median].filter((value) => value !== undefined);
  return medians.length === 0 ? undefined : Math.min(...medians);
}

type Judgement = Pick<Row, "goalText" | "judged" | "verdict">;

function judge(goal: Goal | undefined, columns: Row["columns"], faster: number | undefined): Judgement {
  if (goal === undefined) return { verdict: "not judged" };
  const own = columns[PeerName.holdfast]?.median;
  if (goal.kind === "ratio") {
    const reference = goal.against === "faster" ? faster : columns[goal.against]?.median;
    const goalText = `<= ${goal.atMost}x ${goal.against === "faster" ? "the faster peer" : goal.against}`;
    const judged = own === undefined || reference === undefined ? undefined : ratio(own, reference);
    if (judged === undefined) return { goalText, verdict: "not judged" };
    return { goalText, judged, verdict: judged <= goal.atMost ? "pass" : "fail" };
  }
  const goalText = goal.atMost === undefined ? `>= ${goal.atLeast}` : `<= ${goal.atMost}`;
  if (own === undefined) return { goalText, verdict: "not judged" };
  const passed = own <= (goal.atMost ?? Infinity) && own >= (goal.atLeast ?? -Infinity);
  return { goalText, judged: own, verdict: passed ? "pass" : "fail" };
}
