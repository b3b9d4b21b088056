// Numbers as people read them.

import type { Unit } from "../rows.ts";

const STEPS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** IEC units with three significant figures. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let step = 0;
  while (Math.abs(value) >= 1024 && step < STEPS.length - 1) {
    value /= 1024;
    step += 1;
  }
  return `${step === 0 ? value.toFixed(0) : value.toPrecision(value >= 1000 ? 4 : 3)} ${STEPS[step]}`;
}

/** A value of a row in the row's unit. */
export function formatValue(value: number, unit: Unit): string {
  if (unit === "bytes") return formatBytes(value);
  if (unit === "bytes/s") return `${Math.round(value / 1e6).toLocaleString("en-US")} MB/s`;
  if (unit === "s") return `${value.toFixed(2)} s`;
  if (unit === "requests") return `${value.toFixed(2)} requests`;
  if (unit === "%") return `${value.toFixed(2)} %`;
  return `${Math.round(value).toLocaleString("en-US")} /s`;
}

/** Lines of padded columns; the first line is the head and is underlined. */
export function formatTable(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, at) => Math.max(...lines.map((line) => (line[at] ?? "").length)));
  const row = (line: readonly string[]): string =>
    widths
      .map((width, at) => (line[at] ?? "").padEnd(width))
      .join("  ")
      .trimEnd();
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  return lines.flatMap((line, at) => (at === 0 ? [row(line), rule] : [row(line)])).join("\n");
}
