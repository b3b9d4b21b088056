// The records of metadata packs get their rows: children before parents.
//
// Packs hold records in the order in which they were admitted, and come here in the order in which they were made as far as that is known, so
// that one pass does. Where a pack was written anew later, its records wait for a further pass. A record that refers to one that is nowhere was
// never acknowledged, or that one was lost.

import type { TrailerRow } from "../../../vault/pack/trailer.ts";
import type { NamedPack } from "./indexPacks.ts";
import type { RecordAdmission } from "./recordAdmission.ts";
import type { VaultTables } from "./vaultTables.ts";

/** A record of a metadata pack: its place, and the ids that it refers to, one after the other. */
export type MetadataRecord = { readonly row: TrailerRow; readonly refs: Buffer };

export type MetadataSource = {
  readonly signal: AbortSignal;
  /** The records of a pack, in its order. */
  readonly records: (pack: NamedPack) => Promise<Iterable<MetadataRecord>>;
};

/** The packs that hold metadata, in the order of their ordinals. None is open. */
export function* metadataPacks({ packs }: Pick<VaultTables, "packs">): Generator<NamedPack> {
  for (const pack of packs.all()) if (pack.kind === "meta") yield pack as NamedPack;
}

/**
 * Gives the records of all metadata packs that are here their rows. Answers the packs with records that refer to some that are not.
 * @throws HoldfastError disk-full, io-error, and what the source throws
 */
export async function admitMetadata(
  source: MetadataSource,
  tables: VaultTables,
  admission: RecordAdmission,
): Promise<number[]> {
  let waiting: number[] = [];
  for (const pack of metadataPacks(tables)) {
    if (pack.state === "closed" && pack.coveredBytes < pack.bytes) waiting.push(pack.ordinal);
  }
  for (let progress = true; progress && waiting.length > 0; ) {
    progress = false;
    const left: number[] = [];
    for (const ordinal of waiting) {
      const pack = tables.packs.get(ordinal) as NamedPack;
      const { added, refused } = await admitPack(source, pack, admission, false);
      progress ||= added > 0;
      if (refused > 0) left.push(ordinal);
      else tables.overlay.cover(ordinal, pack.bytes);
    }
    waiting = left;
  }
  return waiting;
}

/** Ends the waiting for records that are nowhere: `standIn` gives them flagged rows, else what refers to them is left out. */
export async function settleWaiting(
  source: MetadataSource,
  tables: VaultTables,
  admission: RecordAdmission,
  waiting: readonly number[],
  standIn: boolean,
): Promise<void> {
  const packs = waiting.map((ordinal) => tables.packs.get(ordinal) as NamedPack);
  if (standIn) for (const pack of packs) await admitPack(source, pack, admission, true);
  for (const pack of packs) tables.overlay.cover(pack.ordinal, pack.bytes);
}

async function admitPack(
  source: MetadataSource,
  pack: NamedPack,
  admission: RecordAdmission,
  standIn: boolean,
): Promise<{ added: number; refused: number }> {
  source.signal.throwIfAborted();
  let added = 0;
  let refused = 0;
  for (const { row, refs } of await source.records(pack)) {
    await admission.room();
    let outcome = admission.admit(pack, row, refs);
    if (!outcome.here && standIn) {
      admission.standIn(row.group, refs);
      outcome = admission.admit(pack, row, refs);
    }
    if (outcome.added) added++;
    if (!outcome.here) refused++;
  }
  return { added, refused };
}
