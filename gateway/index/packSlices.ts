// The pack table in slices: whoever looks at all of a million rows gives way to others in between.

import { setImmediate as nextTurn } from "node:timers/promises";
import type { PackRow, PackTable } from "./packTable.ts";

/** A few milliseconds of work. */
const rowsAtOnce = 512;

/** All rows in order of ordinals; `turn` is awaited between two slices. What comes or goes meanwhile is seen or not. */
export async function* packSlices(
  table: PackTable,
  turn: () => Promise<unknown> = nextTurn,
): AsyncGenerator<PackRow[], void, undefined> {
  for (let next = 0; ; ) {
    const rows = table.from(next, rowsAtOnce);
    if (rows.length > 0) yield rows;
    if (rows.length < rowsAtOnce) return;
    next = rows.at(-1)!.ordinal + 1;
    await turn();
  }
}
