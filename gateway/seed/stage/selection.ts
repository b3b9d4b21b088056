// The records that a box for a restore is to hold, and where they are: the closure of what was chosen, less the data that the target
// still has.
//
// Memory: three bits for each record of the vault, and 32 bytes for each that is chosen.

import { fromHex, toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { RecordType, Width } from "../../../vault/magic.ts";
import type { ChunkIndex } from "../../index/chunkIndex.ts";
import { OrdinalSet } from "../../index/ordinalSet.ts";
import type { ChunkRow } from "../../index/row.ts";
import { isHere } from "../../index/row.ts";
import { walkBelow } from "../../index/walkBelow.ts";
import type { OpenVault } from "../../openVault.ts";
import type { PrefixSet } from "./prefixSet.ts";
import { RecordTable } from "./recordTable.ts";

export type Selection = {
  /** In the order of packs. */
  readonly data: RecordTable;
  /** Children before parents. */
  readonly metadata: RecordTable;
  /** Records that chosen ones name and that the box does not get; those that are lacking here are among them. */
  readonly leftOut: OrdinalSet;
  /** Records that are chosen and not here: on their way with a box, or needed. */
  readonly lacking: OrdinalSet;
  readonly bytes: number;
};

export type SelectionRoots = {
  readonly group: number;
  /** Ids, 32 bytes each: these with all that is below them. */
  readonly roots: readonly Uint8Array[];
  /** These alone. */
  readonly pages: readonly Uint8Array[];
};

export type SelectionWatch = {
  readonly need: PrefixSet | undefined;
  readonly signal: AbortSignal;
  /** Records of a phase that were looked at, and how many there are; null where nobody can know. */
  readonly onLooked: (phase: "choosing" | "finding", done: number, all: number | null) => void;
};

const bucketsAtOnce = 256;
/** Records between two words about a walk. */
const toldAtOnce = 10_000;

/**
 * `need`: data records that are wanted; all of them where it is left out.
 * @throws HoldfastError chunk-missing where a root is not known here; the signal's reason
 */
export async function selectRecords(
  vault: OpenVault,
  chosen: readonly SelectionRoots[],
  { need, signal, onLooked }: SelectionWatch,
): Promise<Selection> {
  const { index } = vault.store;
  await vault.store.flush(() => undefined);
  const wanted = new OrdinalSet();
  const go = (): "on" | "stop" => {
    if (wanted.size % toldAtOnce === 0) onLooked("choosing", wanted.size, null);
    return signal.aborted ? "stop" : "on";
  };
  onLooked("choosing", 0, null);
  for (const { group, roots } of chosen) {
    for (const id of roots) await walkBelow(index, ordinalOf(vault, group, id), go, wanted);
  }
  signal.throwIfAborted();
  // Behind the walks, which pass over what they find there.
  const leftOut = new OrdinalSet();
  const beside = new OrdinalSet();
  for (const { group, pages } of chosen) {
    for (const ordinal of pages.map((id) => ordinalOf(vault, group, id))) {
      wanted.add(ordinal);
      for (const ref of index.refsOf(ordinal)) beside.add(ref);
    }
  }
  const lacking = new OrdinalSet();
  const [data, metadata] = [new RecordTable(), new RecordTable()];
  let bytes = 0;
  const all = index.count();
  let looked = 0;
  await scanRows(index, signal, (group, prefix, row) => {
    if (looked++ % toldAtOnce === 0) onLooked("finding", looked, all);
    if (!wanted.has(row.ordinal)) {
      if (beside.has(row.ordinal)) leftOut.add(row.ordinal);
      return;
    }
    const isData = row.type === RecordType.data;
    if (!isHere(row)) {
      lacking.add(row.ordinal);
      leftOut.add(row.ordinal);
    } else if (isData && need !== undefined && !need.has(group, prefix)) leftOut.add(row.ordinal);
    else {
      (isData ? data : metadata).add(group, row);
      bytes += row.length;
    }
  });
  data.sortByPlace();
  metadata.sortByOrdinal();
  return { data, metadata, leftOut, lacking, bytes };
}

/** Visits all rows of a flushed index; other work gets its turn. @throws the signal's reason */
export async function scanRows(
  index: ChunkIndex,
  signal: AbortSignal,
  visit: (group: number, idPrefix: Uint8Array, row: ChunkRow) => void,
): Promise<void> {
  let cursor: Parameters<typeof index.scan>[0];
  do {
    signal.throwIfAborted();
    cursor = index.scan(cursor, bucketsAtOnce, visit);
    await new Promise((resolve) => setImmediate(resolve));
  } while (cursor !== undefined);
  signal.throwIfAborted();
}

/** Whether something that is lacking is below what was chosen. @throws the signal's reason */
export async function lacks(
  vault: OpenVault,
  { group, roots, pages }: SelectionRoots,
  lacking: OrdinalSet,
  signal: AbortSignal,
): Promise<boolean> {
  if (lacking.size === 0) return false;
  if (pages.some((id) => lacking.has(ordinalOf(vault, group, id)))) return true;
  let found = false;
  const seen = new OrdinalSet();
  for (const id of roots) {
    const visit = (ordinal: number): "on" | "stop" => {
      found ||= lacking.has(ordinal);
      return found || signal.aborted ? "stop" : "on";
    };
    await walkBelow(vault.store.index, ordinalOf(vault, group, id), visit, seen);
    signal.throwIfAborted();
  }
  return found;
}

function ordinalOf({ store }: OpenVault, group: number, id: Uint8Array): number {
  const row = store.overlay.lookup(group, id);
  if (row !== undefined) return row.ordinal;
  throw new HoldfastError(ErrorCode.chunkMissing, `record ${toHex(id)} is not here`, {
    next: "`holdfast gateway scrub` and `holdfast seed status` tell what is missing here.",
  });
}

/** The root page of a snapshot, as what is chosen. */
export function wholeSnapshot({
  group,
  root,
}: {
  readonly group: number;
  readonly root: string;
}): SelectionRoots {
  return { group, roots: [fromHex(root, Width.id)], pages: [] };
}
