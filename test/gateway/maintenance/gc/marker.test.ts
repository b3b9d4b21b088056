// The mark of garbage collection against a walk with a set, on tables of references in memory.

import { expect, test } from "vitest";
import { encodeRefs, refsBytesBound } from "../../../../gateway/index/refTable.ts";
import { Marker } from "../../../../gateway/maintenance/gc/marker.ts";
import { randomFrom } from "../../../fidelity/random.ts";

test("the mark finds everything below whatever order ordinals have, with a list that is full at once", async () => {
  // Parents below their children, as where records took over older ordinals, and cycles of no kind.
  const refs = new Map<number, number[]>();
  const seed = Number(process.env.HOLDFAST_SEED ?? process.hrtime.bigint() % 1_000_000n);
  console.log(`HOLDFAST_SEED=${seed}`);
  const random = randomFrom(seed);
  const next = (below: number): number => random.below(below);
  const count = 20_000;
  const order = Array.from({ length: count }, (_, at) => at);
  for (let at = count - 1; at > 0; at--) {
    const other = next(at + 1);
    [order[at], order[other]] = [order[other]!, order[at]!];
  }
  for (let at = 1; at < count; at++) {
    // None of the last has no children: what is below the roots is never a handful.
    if (next(10) === 0 && at < count * 0.9) continue;
    refs.set(order[at]!, [order[Math.max(0, at - 1 - next(8))]!, order[Math.max(0, at - 1 - next(8))]!]);
  }
  const table = [...refs].sort(([a], [b]) => b - a);
  const encoded = (list: readonly number[]): Uint8Array => {
    const bytes = new Uint8Array(refsBytesBound(list.length));
    return bytes.subarray(0, encodeRefs(list, bytes, 0));
  };
  const index = {
    refsOf: (ordinal: number) => refs.get(ordinal) ?? [],
    highestWithRefs: () => table[0]![0],
    visitRefsDown: (first: number, end: number, visit: (ordinal: number, bytes: Uint8Array) => void) => {
      for (const [ordinal, list] of table) {
        if (ordinal >= first && ordinal < end) visit(ordinal, encoded(list));
      }
    },
  };
  for (const listMax of [1, 50, 262_144]) {
    const marker = new Marker({ index, below: count, listMax });
    const roots = [...order.slice(-20), order[count >> 1]!];
    for (const root of roots) marker.add(root);
    await marker.run(async () => undefined);
    const expected = new Set<number>();
    const pending = [...roots];
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      if (!expected.has(at)) pending.push(...(refs.get(at) ?? []));
      expected.add(at);
    }
    expect(expected.size).toBeGreaterThan(200);
    expect(marker.left).toBe(0);
    expect(marker.marked.size).toBe(expected.size);
    for (const ordinal of expected) expect(marker.marked.has(ordinal)).toBe(true);
  }
});
