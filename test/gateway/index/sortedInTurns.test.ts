// Sorting in turns gives what sorting at once gives, and others get theirs.

import fc from "fast-check";
import { expect, test } from "vitest";
import { sortedInTurns } from "../../../gateway/index/sortedInTurns.ts";

type Item = { readonly key: number; readonly at: number };
const byKey = (a: Item, b: Item): number => a.key - b.key;
const items = (keys: readonly number[]): Item[] => keys.map((key, at) => ({ key, at }));

test("as sort does, equal ones in their order", async () => {
  const keys = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 9000, size: "max" });
  await fc.assert(
    fc.asyncProperty(keys, async (some) => {
      const all = items(some);
      expect(await sortedInTurns(all, byKey)).toEqual(all.toSorted(byKey));
      expect(all).toEqual(items(some));
    }),
    { numRuns: 20, seed: Number(process.env.FC_SEED ?? Date.now() % 1e9) },
  );
});

test("others get their turn in between", async () => {
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await sortedInTurns(items(Array.from({ length: 50_000 }, (_, i) => (i * 7919) % 50_000)), byKey);
  isOver = true;
  expect(turns).toBeGreaterThan(50);
});
