// Which records of a vault something rests on, and are not here: by the box that they come with, or needed from an agent.

import type { Needs } from "../catalog/needs.ts";
import type { ChunkIndex } from "../index/chunkIndex.ts";
import { OrdinalSet } from "../index/ordinalSet.ts";
import type { PromisedRow } from "../index/promisedRows.ts";
import type { Promises } from "./promises.ts";

/** In place of a box: only an agent can send it. */
export const fromAgents = 0;

/** By number of the box, or `fromAgents`; none is empty. Memory: a bit for each ordinal and box. */
export type Lacking = ReadonlyMap<number, OrdinalSet>;

export type LackingPort = {
  readonly index: ChunkIndex;
  readonly promises: Promises;
  readonly needs: Needs;
  /** As if this box had ended. */
  readonly without?: number;
};

const rowsAtOnce = 4096;

/** The box that a promised row comes with, or `fromAgents`. `without`: as if this box had ended. */
export function comesWith(promises: Promises, { box, group, id }: PromisedRow, without?: number): number {
  if (box !== without && promises.isOpen(box)) return box;
  return promises.boxOf(group, id, without) ?? fromAgents;
}

/** What flushed rows say. */
export async function lackingRecords({ index, promises, needs, without }: LackingPort): Promise<Lacking> {
  const lacking = new Map<number, OrdinalSet>();
  const add = (box: number, ordinal: number): void => {
    const known = lacking.get(box) ?? new OrdinalSet();
    lacking.set(box, known);
    known.add(ordinal);
  };
  for (const ordinal of needs.unmet().keys()) add(fromAgents, ordinal);
  for (let from = 0; ; ) {
    const rows = index.promised.from(from, rowsAtOnce);
    for (const row of rows) add(comesWith(promises, row, without), row.ordinal);
    const last = rows.at(-1);
    if (last === undefined) return lacking;
    from = last.ordinal + 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
