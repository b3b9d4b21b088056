// Records that a damaged pack has lost: they answer "no", stand on the need-list, and the snapshots that reach them are marked. When the pack is whole
// again, all of that is taken back.

import { asBuffer } from "../../vault/bytes.ts";
import { isHoldfastError } from "../../vault/errors.ts";
import { ownReporter } from "../catalog/needs.ts";
import type { PackRow } from "../index/packTable.ts";
import type { OpenVault } from "../openVault.ts";
import { closedPackPath } from "../store/packPaths.ts";
import { markHurt } from "./rebuild/markHurt.ts";
import { readableRecords, trailerRows } from "./rebuild/salvage.ts";

/**
 * Takes the records of a closed pack that cannot be read for lost. Where its trailer is not whole either, nobody knows which they are, and nothing is
 * done: `gateway repair` finds out. Answers how many were taken for lost.
 * @throws HoldfastError disk-full, io-error; the signal's reason
 */
export async function loseRecords(
  vault: OpenVault,
  directory: string,
  pack: PackRow,
  signal: AbortSignal,
): Promise<number> {
  const path = closedPackPath(directory, asBuffer(pack.name as Uint8Array));
  let rows: Awaited<ReturnType<typeof trailerRows>>;
  let whole: Set<number>;
  try {
    rows = await trailerRows(path);
    whole = new Set((await readableRecords(path)).map(({ row }) => row.offset));
  } catch (error) {
    if (isHoldfastError(error)) return 0;
    throw error;
  }
  const { store, catalog, needs } = vault;
  const lost = await store.flush(() => {
    let count = 0;
    for (const { group, id, offset } of rows) {
      if (whole.has(offset)) continue;
      const row = store.index.lookup(group, id);
      if (row?.pack !== pack.ordinal || row.offset !== offset) continue;
      if (needs.open(group, id, ownReporter) !== undefined) count++;
    }
    if (count > 0) catalog.renewCacheToken();
    return count;
  });
  if (lost === 0) return 0;
  const { environment, index } = store;
  await markHurt({ catalog, environment, index, needs }, catalog.allSnapshots(), signal);
  environment.write(() => catalog.countChange());
  return lost;
}

/** The pack is whole again. @throws HoldfastError disk-full, io-error */
export async function regainRecords({ store, needs, waits }: OpenVault, pack: number): Promise<void> {
  const regained = await store.flush(() => needs.regain(pack));
  if (regained > 0) waits.settleSoon();
}
