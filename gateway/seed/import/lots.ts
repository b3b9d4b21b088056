// Lots: packs of a manifest that are read and stored together. A small pack costs what is done once for each, not its bytes.

import type { SeedPackRow } from "../../../vault/seed/packList.ts";

/** Packs from this size on are lots of their own. */
const smallBytesMax = 2 ** 20;
export const lotBytesMax = 2 * 2 ** 20;
const lotPacksMax = 128;

/** The rows of a list in their order: small ones that follow each other together, at most `lotBytesMax` bytes, others alone. */
export async function* lotsOf(
  rows: AsyncIterable<SeedPackRow>,
): AsyncGenerator<SeedPackRow[], void, undefined> {
  let lot: SeedPackRow[] = [];
  let bytes = 0;
  for await (const row of rows) {
    const isSmall = row.bytes < smallBytesMax;
    if (lot.length > 0 && (!isSmall || bytes + row.bytes > lotBytesMax || lot.length === lotPacksMax)) {
      yield lot;
      [lot, bytes] = [[], 0];
    }
    if (isSmall) {
      lot.push(row);
      bytes += row.bytes;
    } else yield [row];
  }
  if (lot.length > 0) yield lot;
}
