// How the packs of a manifest are put together into lots.

import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { lotBytesMax, lotsOf } from "../../../gateway/seed/import/lots.ts";
import { PackKind } from "../../../vault/magic.ts";
import type { SeedPackRow } from "../../../vault/seed/packList.ts";

async function lotsOfSizes(sizes: readonly number[]): Promise<number[][]> {
  const rows = sizes.map(
    (bytes): SeedPackRow => ({ name: randomBytes(32), bytes, kind: PackKind.data, records: 1 }),
  );
  const list = async function* () {
    yield* rows;
  };
  const lots: number[][] = [];
  const seen: SeedPackRow[] = [];
  for await (const lot of lotsOf(list())) {
    lots.push(lot.map(({ bytes }) => bytes));
    seen.push(...lot);
  }
  expect(seen).toEqual(rows);
  return lots;
}

test("small packs that follow each other are a lot, larger ones stand alone", async () => {
  expect(await lotsOfSizes([])).toEqual([]);
  expect(await lotsOfSizes([10, 20, 2 ** 20, 30, 2 ** 40, 2 ** 33, 40])).toEqual([
    [10, 20],
    [2 ** 20],
    [30],
    [2 ** 40],
    [2 ** 33],
    [40],
  ]);
});

test("a lot has at most so many bytes, and so many packs", async () => {
  const large = 2 ** 20 - 1;
  expect(await lotsOfSizes(Array(5).fill(large))).toEqual([[large, large], [large, large], [large]]);
  expect(2 * large).toBeLessThanOrEqual(lotBytesMax);
  const lots = await lotsOfSizes(Array(300).fill(1));
  expect(lots.map((lot) => lot.length)).toEqual([128, 128, 44]);
});
