// The report as one value, which is the JSON file, and as text for people.

import type { Row } from "../evaluate.ts";
import type { Machine } from "../machine.ts";
import type { CacheState } from "../measure/caches.ts";
import { type PeerDescription, PeerName } from "../peers/peer.ts";
import type { Column, Samples } from "../samples.ts";
import { type Summary, summarize } from "../statistics.ts";
import { formatBytes, formatTable, formatValue } from "./format.ts";

/** CPU seconds (user + system) and peak anonymous + shared memory in bytes of one role in one row. */
export type Resource = {
  readonly row: string;
  readonly column: Column;
  readonly role: string;
  readonly cpuSeconds: Summary;
  readonly peakMemory: Summary;
};

export type Reported = {
  readonly row: string;
  readonly column: Column;
  readonly name: string;
  readonly values: Summary;
};

export type Report = {
  readonly schema: 1;
  readonly mode: string;
  readonly started: string;
  readonly seed: string;
  readonly runs: number;
  readonly caches: CacheState;
  readonly machine: Machine;
  readonly input: Readonly<Record<string, number>>;
  readonly peers: Readonly<Partial<Record<Column, PeerDescription>>>;
  readonly rows: readonly Row[];
  readonly resources: readonly Resource[];
  readonly reported: readonly Reported[];
};

/** Summaries of everything that was collected besides the rows. */
export function summarizeUsage(samples: Samples): Pick<Report, "resources" | "reported"> {
  return {
    resources: samples.usages().map(({ row, column, role, usages }) => ({
      row,
      column,
      role,
      cpuSeconds: summarize(usages.map((usage) => usage.cpuSeconds)),
      peakMemory: summarize(usages.map((usage) => usage.peakMemory)),
    })),
    reported: samples.reported().map(({ values, ...rest }) => ({ ...rest, values: summarize(values) })),
  };
}

/** The whole report as plain text. */
export function renderReport(report: Report): string {
  const { machine } = report;
  const head = [
    `holdfast benchmark, ${report.mode}, ${report.started}, ${report.runs} runs, ${report.caches} caches, seed ${report.seed}`,
    `machine: ${machine.cpu}, ${machine.cores} cores, ${formatBytes(machine.memoryBytes)}, ${machine.system}, ` +
      `kernel ${machine.kernel}, ${machine.disk}, Node ${machine.node}`,
    `input: ${Object.entries(report.input)
      .map(([name, value]) => `${name} ${value}`)
      .join(", ")}`,
    ...Object.values(report.peers).flatMap(({ version, flags }) => [
      version,
      ...flags.map((flag) => `  ${flag}`),
    ]),
  ];
  return [head.join("\n"), renderRows(report), renderResources(report), renderReported(report)]
    .filter((part) => part !== "")
    .join("\n\n");
}

function renderRows({ rows }: Report): string {
  const columns: Column[] = [...Object.values(PeerName), "source", "rclone"];
  const used = columns.filter((column) => rows.some((row) => row.columns[column] !== undefined));
  return formatTable([
    ["row", ...used.map((column) => `${column} (min..max)`), "ratio", "goal", "got", ""],
    ...rows.map((row) => [
      row.title,
      ...used.map((column) => renderSummary(row.columns[column], row)),
      row.ratioToFaster === undefined ? "" : `${row.ratioToFaster.toFixed(2)}x`,
      renderGoal(row),
      renderJudged(row),
      row.verdict === "not judged" ? "" : row.verdict.toUpperCase(),
    ]),
  ]);
}

function renderSummary(summary: Summary | undefined, { unit }: Row): string {
  if (summary === undefined) return "";
  const { median, min, max } = summary;
  const middle = formatValue(median, unit);
  return min === max ? middle : `${middle} (${formatValue(min, unit)}..${formatValue(max, unit)})`;
}

function renderGoal({ goal, goalText, unit }: Row): string {
  if (goal?.kind !== "bound") return goalText ?? "";
  return goal.atMost === undefined
    ? `>= ${formatValue(goal.atLeast ?? 0, unit)}`
    : `<= ${formatValue(goal.atMost, unit)}`;
}

function renderJudged({ goal, judged, unit }: Row): string {
  if (judged === undefined) return "";
  return goal?.kind === "bound" ? formatValue(judged, unit) : `${judged.toFixed(2)}x`;
}

function renderResources({ resources }: Report): string {
  if (resources.length === 0) return "";
  return formatTable([
    ["step", "program", "process", "CPU (min..max)", "peak memory, max"],
    ...resources.map(({ row, column, role, cpuSeconds, peakMemory }) => [
      row,
      column,
      role,
      `${cpuSeconds.median.toFixed(2)} s (${cpuSeconds.min.toFixed(2)}..${cpuSeconds.max.toFixed(2)})`,
      formatBytes(peakMemory.max),
    ]),
  ]);
}

function renderReported({ reported }: Report): string {
  const bytes = reported.filter(({ name }) => name.includes("bytes") || name.includes("added"));
  if (bytes.length === 0) return "";
  return formatTable([
    ["step", "program", "byte count", "median"],
    ...bytes.map(({ row, column, name, values }) => [row, column, name, formatBytes(values.median)]),
  ]);
}
