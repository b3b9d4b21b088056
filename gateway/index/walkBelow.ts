// Walks everything below a record by clear references, in LMDB alone: flush first.
//
// Memory: a bit for each record that was seen, and 8 bytes for each that is still to be looked at.

import type { ChunkIndex } from "./chunkIndex.ts";
import { OrdinalSet } from "./ordinalSet.ts";

/** Records after which other work gets its turn. */
const recordsAtOnce = 20_000;

/**
 * Visits a record and all below it, each once, with the number of its references, and adds them to `seen`; those of `seen` and `known` are passed over with what is below them.
 * Ends when `visit` returns "stop", or at the end.
 */
export async function walkBelow(
  index: ChunkIndex,
  root: number,
  visit: (ordinal: number, refs: number) => "stop" | "on",
  seen = new OrdinalSet(),
  known: { has(ordinal: number): boolean } = seen,
): Promise<void> {
  if (known.has(root) || !seen.add(root)) return;
  const pending = [root];
  let count = 0;
  for (let ordinal = pending.pop(); ordinal !== undefined; ordinal = pending.pop()) {
    const refs = index.refsOf(ordinal);
    if (visit(ordinal, refs.length) === "stop") return;
    if (++count % recordsAtOnce === 0) await new Promise((resolve) => setImmediate(resolve));
    for (const ref of refs) if (!known.has(ref) && seen.add(ref)) pending.push(ref);
  }
}
