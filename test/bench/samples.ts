// What was measured, as it comes in: one list of values per row and column, one list of usages per row, column and role.

import type { Measurement, Usage } from "./measure/programs.ts";
import type { PeerName } from "./peers/peer.ts";

/** A peer, the plain source folder where a row needs the file system's own speed beside it, or rclone where a row is about moving objects. */
export type Column = PeerName | "source" | "rclone";

export type UsageSeries = {
  readonly row: string;
  readonly column: Column;
  readonly role: string;
  readonly usages: Usage[];
};

export type Samples = {
  readonly values: ReadonlyMap<string, ReadonlyMap<Column, readonly number[]>>;
  readonly usages: () => readonly UsageSeries[];
  /** Byte counts that programs gave besides the rows' own: row, column, name, values. */
  readonly reported: () => readonly { row: string; column: Column; name: string; values: number[] }[];
  readonly add: (row: string, column: Column, value: number) => void;
  readonly addReported: (row: string, column: Column, counts: Readonly<Record<string, number>>) => void;
  /** Adds CPU seconds and peak memory of a step; its seconds too when the row is about time. */
  readonly addUsage: (row: string, column: Column, step: Measurement) => void;
  readonly addStep: (row: string, column: Column, step: Measurement) => void;
};

/** An empty collection. */
export function collectSamples(): Samples {
  const values = new Map<string, Map<Column, number[]>>();
  const usages = new Map<string, UsageSeries>();
  const reported = new Map<string, { row: string; column: Column; name: string; values: number[] }>();

  const add = (row: string, column: Column, value: number): void => {
    const columns = values.get(row) ?? new Map<Column, number[]>();
    values.set(row, columns);
    columns.set(column, [...(columns.get(column) ?? []), value]);
  };
  const addUsage = (row: string, column: Column, step: Measurement): void => {
    for (const [role, usage] of step.usage) {
      const key = `${row}/${column}/${role}`;
      const series = usages.get(key) ?? { row, column, role, usages: [] };
      usages.set(key, series);
      series.usages.push(usage);
    }
  };
  return {
    values,
    usages: () => [...usages.values()],
    reported: () => [...reported.values()],
    add,
    addUsage,
    addStep: (row, column, step) => {
      add(row, column, step.seconds);
      addUsage(row, column, step);
    },
    addReported: (row, column, counts) => {
      for (const [name, value] of Object.entries(counts)) {
        const key = `${row}/${column}/${name}`;
        const entry = reported.get(key) ?? { row, column, name, values: [] };
        reported.set(key, entry);
        entry.values.push(value);
      }
    },
  };
}
